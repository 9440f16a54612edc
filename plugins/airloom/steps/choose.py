"""choose: what a person wants to be champion, checked against the ledger and the registry."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Literal, get_args

from airloom.core.errors import GateError, UsageError
from airloom.core.partitions import require_ended
from airloom.core.pipeline import Pipeline
from airloom.core.records import Chosen, Dataset
from airloom.core.settings import Settings
from airloom.stores.ledger import Champion, Ledger
from airloom.stores.ledger_mark import require_ledger
from airloom.stores.models import ModelRegistry
from airloom.stores.pins import Pins

Action = Literal["rollback", "promote", "pin", "unpin"]
_WORDS = {"rollback": "roll back to"}


def choose(
    pipeline: Pipeline,
    partition: date,
    action: str,
    version: int | None,
    actor: str,
    reason: str,
    settings: Settings,
) -> Chosen:
    """Check a person's wish and name the version that is to become champion; nothing is changed yet.

    Args:
        pipeline: The declaration.
        partition: The day from which the version is to be champion.
        action: `rollback`, to the champion before this one or to a named version; `promote`, a named version; `pin`, so
            that the gate judges and does not move the champion; `unpin`.
        version: The version; only a promotion needs one, and a pin takes none.
        actor: Who wants it.
        reason: Why.
        settings: Where ledger and registry are.

    Returns:
        The choice, with the epoch of the ledger that it was made against.

    Raises:
        UsageError: There is no such action, or version or reason are missing.
        GateError: There is nothing to roll back to, no such version, it is champion already, or it would go back in
            time.
        SetupError: The ledger lacks champions that the lake knows of.
    """
    require_ended(partition, pipeline.schedule.timezone)
    if action not in get_args(Action):
        raise UsageError(f"There is no action {action!r}.", expected=" or ".join(get_args(Action)))
    if not reason.strip():
        raise UsageError("A champion is not moved without a reason.", do="say why; it is kept in the ledger")
    require_ledger(pipeline.name, settings)
    history = Ledger(settings.state_url).history(pipeline.name)
    head = history[-1] if history else None
    if action in ("pin", "unpin"):
        held = _held(pipeline, action, version, history, settings)
        return _chosen(pipeline, partition, action, held.version, held.epoch, actor, reason)
    wanted = version if version is not None else _previous(pipeline, action, history)
    if head is not None and wanted == head.version:
        raise GateError(f"Version {wanted} is the champion already.", found=f"since {head.effective_from}")
    if action == "promote" and head is not None and partition < head.effective_from:
        raise GateError(
            f"A promotion cannot go back in time: the champion is effective from {head.effective_from}.",
            found=str(partition),
            expected=f"{head.effective_from} or later",
            do="use rollback, which may",
        )
    ModelRegistry(settings, pipeline.name).version_info(wanted)
    return _chosen(pipeline, partition, action, wanted, head.epoch if head else 0, actor, reason)


def _chosen(
    pipeline: Pipeline, partition: date, action: str, version: int, epoch: int, actor: str, reason: str
) -> Chosen:
    return Chosen(
        pipeline=pipeline.name,
        partition=partition,
        headline=f"{_WORDS.get(action, action)} version {version} from {partition} on, by {actor}: {reason}",
        action=action,
        version=version,
        epoch=epoch,
        actor=actor,
        reason=reason,
        inputs=(Dataset(name="model", version=str(version)),),
    )


def _held(
    pipeline: Pipeline, action: str, version: int | None, history: Sequence[Champion], settings: Settings
) -> Champion:
    """Return the champion that is to be pinned or let go."""
    if version is not None:
        raise UsageError(f"{action} is about the champion that is, and takes no version.", found=str(version))
    if not history:
        raise GateError(f"{pipeline.name} has no champion.")
    pin = Pins(settings.state_url).current(pipeline.name)
    if (action == "pin") == (pin is not None):
        raise GateError(f"The champion of {pipeline.name} is {f'pinned already, {pin}' if pin else 'not pinned'}.")
    return history[-1]


def _previous(pipeline: Pipeline, action: str, history: Sequence[Champion]) -> int:
    """Return the champion before this one: a promotion puts a version on top of those before, a rollback takes off."""
    if action == "promote":
        raise UsageError("A promotion names a version.", do="give its number; airloom ledger lists them")
    if not history:
        raise GateError(f"{pipeline.name} has no champion that could be rolled back.")
    stack: list[int] = []
    for row in history:
        if row.reason.startswith("rollback:") and row.version in stack:
            while stack[-1] != row.version:
                stack.pop()
        else:
            stack.append(row.version)
    if len(stack) == 1:
        raise GateError(
            f"There is nothing to roll back to: version {stack[0]} is {pipeline.name}'s first champion.",
            do="name a version",
        )
    return stack[-2]
