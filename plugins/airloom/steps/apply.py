"""apply: the only code that moves a champion."""

from __future__ import annotations

from datetime import date

from airloom.core.gate import Verdict
from airloom.core.pipeline import Pipeline
from airloom.core.records import Applied, Dataset
from airloom.core.settings import Settings
from airloom.stores.ledger import Ledger
from airloom.stores.models import ModelRegistry


def apply(pipeline: Pipeline, partition: date, verdict_id: str, settings: Settings, actor: str) -> Applied:
    """Make an accepted challenger the champion, then let the MLflow alias follow the ledger.

    Applying a verdict twice, or after a crash in between, ends in the same state as applying it once.

    Args:
        pipeline: The declaration.
        partition: The as-of of the challenger.
        verdict_id: The verdict to apply.
        settings: Where ledger and registry are.
        actor: Who or what applies it.

    Returns:
        The champion afterwards.

    Raises:
        GateError: The verdict is unknown, or the champion has moved since it was made.
    """
    ledger = Ledger(settings.state_url)
    verdict = ledger.verdict(verdict_id)
    moved = verdict.accepted and not _is_applied(ledger, verdict)
    if moved:
        ledger.promote(
            pipeline.name,
            expected_epoch=verdict.head.epoch if verdict.head else 0,
            effective_from=partition,
            version=verdict.challenger.version,
            verdict=verdict.id,
            actor=actor,
            reason=f"{verdict.outcome}: {verdict.reasons}",
        )
    head = ledger.head(pipeline.name)
    if head is not None:
        ModelRegistry(settings, pipeline.name).set_alias("champion", head.version)
    version = head.version if head else None
    return Applied(
        pipeline=pipeline.name,
        partition=partition,
        headline=_headline(verdict, moved, version),
        champion_version=version,
        epoch=head.epoch if head else 0,
        moved=moved,
        inputs=(Dataset(name="verdict", partition=partition, version=verdict.id),),
        outputs=(Dataset(name="champion", partition=partition, version=str(version)),) if moved else (),
    )


def _is_applied(ledger: Ledger, verdict: Verdict) -> bool:
    return any(row.verdict == verdict.id for row in ledger.history(verdict.pipeline))


def _headline(verdict: Verdict, moved: bool, version: int | None) -> str:
    if moved:
        return f"champion is now version {version} ({verdict.outcome})"
    champion = f"champion stays version {version}" if version else "there is still no champion"
    return f"{champion} ({verdict.outcome})"
