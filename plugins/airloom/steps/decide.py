"""decide: lay the evaluation before the gate and keep the verdict."""

from __future__ import annotations

from datetime import date

from airloom.core.failpoints import failpoint
from airloom.core.gate import Case, Comparison, Judged, Verdict
from airloom.core.gate import decide as judge
from airloom.core.pipeline import Pipeline
from airloom.core.records import Dataset, Decided, Evaluation
from airloom.core.settings import Settings
from airloom.steps.compare import compare
from airloom.stores.ledger import Ledger
from airloom.stores.pins import Pins


def decide(pipeline: Pipeline, partition: date, evaluation: Evaluation, settings: Settings) -> Decided:
    """Judge the night's challenger; a night that was judged before keeps its verdict.

    Args:
        pipeline: The declaration.
        partition: The as-of of the challenger.
        evaluation: Challenger and champion on the same rows.
        settings: Where the ledger and the results by row are.

    Returns:
        The verdict's identifier and outcome.
    """
    ledger = Ledger(settings.state_url)
    verdict = _judged_before(ledger, evaluation) or judge(
        _case(pipeline, settings, evaluation, compare(pipeline, evaluation, settings)), pipeline.gate
    )
    failpoint("decide.after_judging")
    ledger.record(verdict)
    return Decided(
        pipeline=pipeline.name,
        partition=partition,
        headline=f"{verdict.outcome}: {evaluation.challenger} version {verdict.challenger.version}: {verdict.reasons}",
        verdict=verdict.id,
        outcome=verdict.outcome,
        inputs=(Dataset(name="model", version=str(verdict.challenger.version)),),
        outputs=(Dataset(name="verdict", partition=partition, version=verdict.id),),
    )


def _judged_before(ledger: Ledger, evaluation: Evaluation) -> Verdict | None:
    """Find the verdict on the same challenger that still stands.

    An accepted verdict whose champion has been replaced before it was applied does not stand any more.
    """
    applied = {row.verdict for row in ledger.history(evaluation.pipeline)}
    head = ledger.head(evaluation.pipeline)
    for verdict in reversed(ledger.verdicts(evaluation.pipeline, evaluation.partition)):
        same = verdict.challenger.version == evaluation.challenger_version
        if same and (not verdict.accepted or verdict.id in applied or verdict.head == head):
            return verdict
    return None


def _case(pipeline: Pipeline, settings: Settings, evaluation: Evaluation, comparison: Comparison | None) -> Case:
    ledger, pin = Ledger(settings.state_url), Pins(settings.state_url).current(pipeline.name)
    effective_from = {row.version: row.effective_from for row in ledger.history(pipeline.name)}
    champion = evaluation.champion_version
    return Case(
        pipeline=pipeline.name,
        partition=evaluation.partition,
        challenger=_judged(evaluation, evaluation.challenger, evaluation.challenger_version, evaluation.partition),
        champion=None if champion is None else _judged(evaluation, "champion", champion, effective_from[champion]),
        comparison=comparison,
        pinned=str(pin) if pin else None,
        head=ledger.head(pipeline.name),
        training_digest=evaluation.training_digest,
        pipeline_digest=pipeline.digest,
        degraded=evaluation.degraded,
    )


def _judged(evaluation: Evaluation, name: str, version: int, as_of: date) -> Judged:
    return Judged(
        version=version,
        as_of=as_of,
        rows=evaluation.rows,
        rows_digest=evaluation.rows_digest,
        metrics=evaluation.metrics[name],
    )
