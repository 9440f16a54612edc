"""apply: the only code that moves a champion."""

from __future__ import annotations

import logging
from datetime import date
from functools import partial

from airloom.core.errors import ChampionMoved, ChampionPinned, GateError
from airloom.core.failpoints import failpoint
from airloom.core.partitions import require_ended
from airloom.core.pipeline import Pipeline
from airloom.core.records import Answered, Applied, Chosen, Dataset, Decided, Evaluation, Proven
from airloom.core.settings import Settings
from airloom.core.verdict import Verdict
from airloom.steps.decide import decide
from airloom.steps.reconcile import point_alias, reconcile
from airloom.stores.ledger import Champion, Ledger
from airloom.stores.ledger_mark import keep_mark
from airloom.stores.models import ModelRegistry
from airloom.stores.notes import Notes
from airloom.stores.pins import Pins

_log = logging.getLogger(__name__)


def apply(
    pipeline: Pipeline,
    partition: date,
    verdict_id: str,
    settings: Settings,
    actor: str,
    answer: Answered | None = None,
    evaluation: Evaluation | None = None,
) -> Applied:
    """Make an accepted challenger the champion, then let the MLflow alias follow the ledger.

    Applying a verdict twice, or after a crash in between, ends in the same state as applying it once. A verdict whose
    champion has moved since is superseded: it moves nobody. The challenger is then judged again, once, against the
    current champion, and the new verdict is applied. There is no second judgement where a person has approved the
    first one, nor of a challenger that is now older than the champion.

    Args:
        pipeline: The declaration.
        partition: The as-of of the challenger.
        verdict_id: The verdict to apply.
        settings: Where ledger and registry are.
        actor: Who or what applies it.
        answer: What a person has said to it, where the pipeline asks for approval.
        evaluation: The evaluation behind the verdict; without one nothing is judged again.

    Returns:
        The champion afterwards.

    Raises:
        GateError: The verdict is unknown or about another pipeline, or its version has been deleted.
        DataError: The rows on which to judge again are not there any more.
    """
    require_ended(partition, pipeline.schedule.timezone)
    ledger = Ledger(settings.state_url)
    verdict = ledger.verdict(verdict_id)
    if verdict.pipeline != pipeline.name:
        raise GateError(
            f"Verdict {verdict.id} is about another pipeline.", found=verdict.pipeline, expected=pipeline.name
        )
    drift = reconcile(pipeline, settings)
    moved, why = False, str(verdict.outcome)
    if verdict.accepted and not any(row.verdict == verdict.id for row in ledger.history(pipeline.name)):
        try:
            hindrance = _hindrance(pipeline, verdict, settings, answer) or _promote(
                pipeline, verdict, settings, actor, answer
            )
        except ChampionMoved as error:
            hindrance = _note_superseded(pipeline, verdict, settings, actor, error)
            if again := _judge_again(pipeline, verdict, evaluation, settings):
                _log.info("%s %s: %s; judged again: %s", pipeline.name, partition, hindrance, again.headline)
                # Without the evaluation: once.
                return apply(pipeline, partition, again.verdict, settings, actor)
        moved, why = hindrance is None, f"{why}, {hindrance}" if hindrance else why
    failpoint("apply.after_ledger")
    inputs = (
        Dataset(name="verdict", partition=partition, version=verdict.id),
        Dataset(name="model", version=str(verdict.challenger.version)),
    )
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
        ChampionMoved: The champion has moved since the choice was made; another one is neither replaced nor pinned.
        GateError: The version has been deleted.
    """
    require_ended(chosen.partition, pipeline.schedule.timezone)
    drift = reconcile(pipeline, settings)
    if chosen.action in ("pin", "unpin"):
        _pin(pipeline, chosen, settings)
        return _applied(pipeline, chosen.partition, settings, False, chosen.headline, drift, chosen.inputs)
    ledger, reason = Ledger(settings.state_url), f"{chosen.action}: {chosen.reason}"
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
            even_pinned=True,
        )
    failpoint("apply_choice.after_ledger")
    return _applied(pipeline, chosen.partition, settings, moved, chosen.headline, drift, chosen.inputs)


def _pin(pipeline: Pipeline, chosen: Chosen, settings: Settings) -> None:
    """Pin the champion that was meant, and no other; or let go whatever is pinned."""
    pinned = chosen.action == "pin"
    meant = partial(Ledger(settings.state_url).require_epoch, pipeline.name, chosen.epoch) if pinned else None
    Pins(settings.state_url).set(
        pipeline.name, pinned=pinned, actor=chosen.actor, reason=chosen.reason, condition=meant
    )


def _hindrance(pipeline: Pipeline, verdict: Verdict, settings: Settings, answer: Answered | None) -> str | None:
    """Return what keeps an accepted verdict from moving the champion, None when nothing does."""
    if pin := Pins(settings.state_url).current(pipeline.name):
        return f"pinned {pin}"
    # An answer to another verdict, from before this one was decided, is none.
    answered = answer if answer and answer.verdict == verdict.id else None
    if pipeline.promotion.approval == "none" or (answered and answered.approved):
        return None
    said = answered.headline if answered else "nobody has approved it"
    who = answered.actor if answered else "nobody"
    Notes(settings.state_url).add_answer(pipeline.name, verdict.partition, verdict.id, who, said)
    return said


def _promote(
    pipeline: Pipeline, verdict: Verdict, settings: Settings, actor: str, answer: Answered | None
) -> str | None:
    """Add the ledger's row; return the pin that has kept it away, None when nothing has.

    Raises:
        ChampionMoved: The champion has moved since the verdict.
    """
    _require_version(pipeline, settings, verdict.challenger.version)
    reason = f"{verdict.outcome}: {verdict.reasons}"
    try:
        Ledger(settings.state_url).promote(
            pipeline.name,
            expected_epoch=verdict.head.epoch if verdict.head else 0,
            effective_from=verdict.partition,
            version=verdict.challenger.version,
            verdict=verdict.id,
            actor=answer.actor if answer else actor,
            reason=f"approve: {reason}" if answer else reason,
        )
    except ChampionPinned as pinned:
        return f"pinned {pinned.found}"
    return None


def _note_superseded(pipeline: Pipeline, verdict: Verdict, settings: Settings, actor: str, error: ChampionMoved) -> str:
    """Keep that a verdict came too late, and return it in words."""
    said = f"superseded: the champion has moved meanwhile, {error.found} instead of {error.expected}"
    Notes(settings.state_url).add(pipeline.name, "superseded", verdict.partition, verdict.id, actor, said)
    return said


def _judge_again(
    pipeline: Pipeline, verdict: Verdict, evaluation: Evaluation | None, settings: Settings
) -> Decided | None:
    """Judge a superseded challenger against the current champion; None when there is no second judgement.

    A person has approved the first verdict and no other. A challenger that is now older is refused in any case.
    """
    head = Ledger(settings.state_url).head(pipeline.name)
    older = head is not None and head.as_of > verdict.partition
    if evaluation is None or older or pipeline.promotion.approval == "required":
        return None
    headline = f"version {verdict.proof.version} was proven before the first verdict"
    proven = Proven(pipeline=pipeline.name, partition=verdict.partition, headline=headline, proof=verdict.proof)
    return decide(pipeline, verdict.partition, evaluation, proven, settings)


def _require_version(pipeline: Pipeline, settings: Settings, version: int) -> None:
    """Make sure of the version before the ledger names it: a row cannot be taken back."""
    ModelRegistry(settings, pipeline.name).version_info(version)


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
    """Let the alias and the lake's mark follow, and say who is champion now."""
    if moved:
        point_alias(pipeline, settings)
    keep_mark(pipeline.name, settings)
    head = Ledger(settings.state_url).head(pipeline.name)
    version = head.version if head else None
    return Applied(
        pipeline=pipeline.name,
        partition=partition,
        headline=_headline(moved, version, why) + (f"; {drift}" if drift else ""),
        champion_version=version,
        epoch=head.epoch if head else 0,
        moved=moved,
        inputs=inputs,
        outputs=(Dataset.champion(head.epoch, head.as_of),) if moved and head else (),
    )


def _headline(moved: bool, version: int | None, why: str) -> str:
    if moved:
        return f"champion is now version {version} ({why})"
    champion = f"champion stays version {version}" if version else "there is still no champion"
    return f"{champion} ({why})"
