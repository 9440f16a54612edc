"""apply: the only code that moves a champion."""

from __future__ import annotations

import logging
from datetime import date

from airloom.core.failpoints import failpoint
from airloom.core.gate import Verdict
from airloom.core.pipeline import Pipeline
from airloom.core.records import Applied, Chosen, Dataset
from airloom.core.settings import Settings
from airloom.stores.ledger import Champion, Ledger
from airloom.stores.models import ModelRegistry
from airloom.stores.pins import Pins

_log = logging.getLogger(__name__)


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
        GateError: The verdict is unknown, its version has been deleted, or the champion has moved since it was made.
    """
    ledger = Ledger(settings.state_url)
    verdict = ledger.verdict(verdict_id)
    drift = align_alias(pipeline, settings)
    pin = Pins(settings.state_url).current(pipeline.name)
    moved = verdict.accepted and pin is None and not _is_applied(ledger, verdict)
    if moved:
        _require_version(pipeline, settings, verdict.challenger.version)
        ledger.promote(
            pipeline.name,
            expected_epoch=verdict.head.epoch if verdict.head else 0,
            effective_from=partition,
            version=verdict.challenger.version,
            verdict=verdict.id,
            actor=actor,
            reason=f"{verdict.outcome}: {verdict.reasons}",
        )
    failpoint("apply.after_ledger")
    inputs = (Dataset(name="verdict", partition=partition, version=verdict.id),)
    why = f"{verdict.outcome}, pinned {pin}" if pin else verdict.outcome
    return _applied(pipeline, partition, settings, moved, why, drift, inputs)


def apply_choice(pipeline: Pipeline, chosen: Chosen, settings: Settings) -> Applied:
    """Do what a person has chosen: move the champion, the MLflow alias following the ledger, or pin it or let it go.

    Args:
        pipeline: The declaration.
        chosen: The choice; applying it twice ends in the same state as applying it once.
        settings: Where ledger and registry are.

    Returns:
        The champion afterwards.

    Raises:
        GateError: The version has been deleted, or the champion has moved since the choice was made.
    """
    ledger = Ledger(settings.state_url)
    drift = align_alias(pipeline, settings)
    if chosen.action in ("pin", "unpin"):
        pinned = chosen.action == "pin"
        Pins(settings.state_url).set(pipeline.name, pinned=pinned, actor=chosen.actor, reason=chosen.reason)
        return _applied(pipeline, chosen.partition, settings, False, chosen.headline, drift, chosen.inputs)
    reason = f"{chosen.action}: {chosen.reason}"
    moved = not any(_is_choice(row, chosen, reason) for row in ledger.history(pipeline.name))
    if moved:
        _require_version(pipeline, settings, chosen.version)
        ledger.promote(
            pipeline.name,
            expected_epoch=chosen.epoch,
            effective_from=chosen.partition,
            version=chosen.version,
            verdict=None,
            actor=chosen.actor,
            reason=reason,
        )
    failpoint("apply_choice.after_ledger")
    return _applied(pipeline, chosen.partition, settings, moved, chosen.action, drift, chosen.inputs)


def align_alias(pipeline: Pipeline, settings: Settings) -> str:
    """Make the MLflow alias `champion` what the ledger says, and tell when it was something else.

    An alias without any champion in the ledger is removed: nobody has judged what it points at.

    Returns:
        What was wrong, empty when nothing was: somebody has moved the alias, or a crash came before it was set.

    Raises:
        GateError: The champion's version has been deleted from the registry.
    """
    head = Ledger(settings.state_url).head(pipeline.name)
    registry = ModelRegistry(settings, pipeline.name)
    found, wanted = registry.alias(), head.version if head else None
    if found == wanted:
        return ""
    if wanted is None:
        registry.remove_alias("champion")
    else:
        registry.set_alias("champion", wanted)
    drift = f"the alias champion was {_version(found)}, and is {_version(wanted)} again as in the ledger"
    _log.warning("%s: %s.", pipeline.name, drift)
    return drift


def _require_version(pipeline: Pipeline, settings: Settings, version: int) -> None:
    """Make sure of the version before the ledger names it: a row cannot be taken back."""
    ModelRegistry(settings, pipeline.name).version_info(version)


def _version(number: int | None) -> str:
    return f"version {number}" if number is not None else "nothing"


def _is_applied(ledger: Ledger, verdict: Verdict) -> bool:
    return any(row.verdict == verdict.id for row in ledger.history(verdict.pipeline))


def _is_choice(row: Champion, chosen: Chosen, reason: str) -> bool:
    """Tell whether a row of the ledger is this very choice, applied by an attempt before."""
    wanted = (chosen.epoch + 1, chosen.version, chosen.partition, chosen.actor, reason)
    return (row.epoch, row.version, row.effective_from, row.actor, row.reason) == wanted


def _applied(
    pipeline: Pipeline,
    partition: date,
    settings: Settings,
    moved: bool,
    why: str,
    drift: str,
    inputs: tuple[Dataset, ...],
) -> Applied:
    """Let the alias follow, and say who is champion now."""
    head = Ledger(settings.state_url).head(pipeline.name)
    if moved and head is not None:
        ModelRegistry(settings, pipeline.name).set_alias("champion", head.version)
    version = head.version if head else None
    return Applied(
        pipeline=pipeline.name,
        partition=partition,
        headline=_headline(moved, version, why) + (f"; {drift}" if drift else ""),
        champion_version=version,
        epoch=head.epoch if head else 0,
        moved=moved,
        inputs=inputs,
        outputs=(Dataset(name="champion", partition=partition, version=str(version)),) if moved else (),
    )


def _headline(moved: bool, version: int | None, why: str) -> str:
    if moved:
        return f"champion is now version {version} ({why})"
    champion = f"champion stays version {version}" if version else "there is still no champion"
    return f"{champion} ({why})"
