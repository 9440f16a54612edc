"""decide: lay the evaluation before the gate and keep the verdict."""

from __future__ import annotations

from datetime import date

from airloom.core.errors import GateError
from airloom.core.failpoints import failpoint
from airloom.core.gate import decide as judge
from airloom.core.partitions import require_ended
from airloom.core.pipeline import Pipeline
from airloom.core.records import Dataset, Decided, Evaluation, Proven
from airloom.core.report import markdown
from airloom.core.rules import ROW
from airloom.core.settings import Settings
from airloom.core.verdict import Case, Comparison, Judged, Skill, Verdict
from airloom.steps.circuit import announce_pause
from airloom.steps.compare import compare, compare_with_baselines
from airloom.steps.evaluate import evaluate_again
from airloom.steps.provenance import recipe
from airloom.stores.ledger import Ledger
from airloom.stores.models import ModelRegistry
from airloom.stores.pins import Pins

#: With fewer independent blocks an interval holds, and is so wide that only a large gain is shown.
_FEW = 5


def decide(pipeline: Pipeline, partition: date, evaluation: Evaluation, proven: Proven, settings: Settings) -> Decided:
    """Judge the night's challenger; a night that was judged before keeps its verdict.

    A champion that has come since the evaluation is scored first, once, on the same rows. One that comes even later
    makes the verdict `incomparable`.

    Args:
        pipeline: The declaration.
        partition: The as-of of the challenger.
        evaluation: Challenger and champion on the same rows.
        proven: Whether the challenger can serve.
        settings: Where the ledger and the results by row are.

    Returns:
        The verdict's identifier and outcome.

    Raises:
        DataError: The rows of the evaluation are not there any more.
    """
    require_ended(partition, pipeline.schedule.timezone)
    ledger = Ledger(settings.state_url)
    verdict = _judged_before(pipeline, evaluation, settings)
    if verdict is None and (newer := _newer_champion(evaluation, ledger)):
        evaluation = evaluate_again(pipeline, evaluation, newer, settings)
        verdict = _judged_before(pipeline, evaluation, settings)
    if verdict is None:
        verdict = judge(_case(pipeline, settings, evaluation, proven), pipeline.gate)
    failpoint("decide.after_judging")
    ledger.record(verdict)
    ModelRegistry(settings, pipeline.name).keep_verdict(
        verdict.challenger.version, verdict.id, verdict.outcome, markdown(verdict)
    )
    announce_pause(pipeline, settings)
    return Decided(
        pipeline=pipeline.name,
        partition=partition,
        headline=f"{verdict.outcome}: {evaluation.challenger} version {verdict.challenger.version}: {verdict.reasons}",
        verdict=verdict.id,
        outcome=verdict.outcome,
        inputs=(Dataset(name="model", version=str(verdict.challenger.version)),),
        outputs=(Dataset(name="verdict", partition=partition, version=verdict.id),),
    )


def _newer_champion(evaluation: Evaluation, ledger: Ledger) -> int | None:
    """Return the champion if it is not the one that was scored; None for a challenger that is older than it."""
    head = ledger.head(evaluation.pipeline)
    if head is None or head.as_of > evaluation.partition or head.version == evaluation.champion_version:
        return None
    return head.version


def _judged_before(pipeline: Pipeline, evaluation: Evaluation, settings: Settings) -> Verdict | None:
    """Find the verdict on the same challenger that still stands."""
    ledger = Ledger(settings.state_url)
    applied = {row.verdict for row in ledger.history(pipeline.name)}
    pin = Pins(settings.state_url).current(pipeline.name)
    for verdict in reversed(ledger.verdicts(pipeline.name, evaluation.partition)):
        same = verdict.challenger.version == evaluation.challenger_version
        if same and (verdict.id in applied or _stands(verdict, evaluation, ledger, str(pin) if pin else None)):
            return verdict
    return None


def _stands(verdict: Verdict, evaluation: Evaluation, ledger: Ledger, pinned: str | None) -> bool:
    """Tell whether a verdict that has moved nobody would be the same today.

    One that would move the champion stands as long as that has not moved; a refusal, as long as it was against the
    same champion, which had not moved before it was judged.
    """
    if verdict.pinned != pinned or verdict.champion_moved:
        return False
    if verdict.accepted or verdict.outcome == "older":
        return verdict.head == ledger.head(evaluation.pipeline)
    return (verdict.champion.version if verdict.champion else None) == evaluation.champion_version


def _case(pipeline: Pipeline, settings: Settings, evaluation: Evaluation, proven: Proven) -> Case:
    ledger, pin = Ledger(settings.state_url), Pins(settings.state_url).current(pipeline.name)
    champion = evaluation.champion_version
    trained = None if champion is None else _trained_as_of(pipeline, champion, settings)
    comparison, skill = compare(pipeline, evaluation, settings), compare_with_baselines(pipeline, evaluation, settings)
    return Case(
        pipeline=pipeline.name,
        partition=evaluation.partition,
        challenger=_judged(evaluation, evaluation.challenger, evaluation.challenger_version, evaluation.partition),
        champion=_judged(evaluation, "champion", champion, trained) if champion and trained else None,
        comparison=comparison,
        baselines=evaluation.baselines,
        skill=skill,
        proof=proven.proof,
        pinned=str(pin) if pin else None,
        head=ledger.head(pipeline.name),
        training_digest=evaluation.training_digest,
        pipeline_digest=pipeline.digest,
        recipe=recipe(pipeline, settings),
        degraded=evaluation.degraded,
        warnings=(*map(str, evaluation.leaks), *_doubts(comparison, skill)),
        lake=evaluation.lake,
    )


def _doubts(comparison: Comparison | None, skill: tuple[Skill, ...]) -> list[str]:
    """Say what makes an interval less sure than it looks."""
    effects = [*([comparison.effect] if comparison else []), *(effect for each in skill for effect in each.effects)]
    sampling = next((effect.sampling for effect in effects if effect.sampling), None)
    if sampling is None:
        return []
    if ROW in sampling.blocks:
        return ["every row counts as independent of all others, as `gate.cluster: row` declares"]
    if sampling.effective < _FEW:
        return [f"the rows are of {sampling}, {sampling.effective:.2g} of them independent: that is little to judge by"]
    return []


def _trained_as_of(pipeline: Pipeline, champion: int, settings: Settings) -> date:
    """Return the partition as of which the champion was trained, which after a rollback is not where it is effective.

    When its version was deleted from the registry, with all that was known of it, the latter is all that is left.
    """
    try:
        return ModelRegistry(settings, pipeline.name).version_info(champion).partition
    except GateError:
        history = Ledger(settings.state_url).history(pipeline.name)
        return next(row.effective_from for row in reversed(history) if row.version == champion)


def _judged(evaluation: Evaluation, name: str, version: int, as_of: date) -> Judged:
    return Judged(
        version=version,
        as_of=as_of,
        rows=evaluation.rows,
        rows_digest=evaluation.rows_digest,
        metrics=evaluation.metrics[name],
    )
