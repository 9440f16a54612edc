"""heal: stale features that a join is about to read, computed again and brought online as the features stage does."""

from __future__ import annotations

import logging
import time
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, timedelta

from airloom.core.errors import AirloomError
from airloom.core.pipeline import Pipeline
from airloom.core.records import Dataset
from airloom.core.settings import Settings
from airloom.core.wording import counted
from airloom.steps.compute import Written, compute_stale, lift_blocks, read_by
from airloom.steps.materialize import materialize
from airloom.steps.staleness import Staleness

_log = logging.getLogger(__name__)

#: What may be healed in passing; more is a work of its own.
LIMIT = timedelta(minutes=1)
#: Days that are computed together, the newest first; the time they take tells how long the others will.
_TOGETHER = 7


@dataclass(frozen=True)
class Healed:
    """What became of stale features.

    Args:
        days: The days that were computed again.
        refused: Days that cannot be computed, and why; they are blocked.
        left: Days that are left, because all of them together are more work than the limit.
        inputs: What was read.
        outputs: What was written, to the lake and online.
    """

    days: tuple[date, ...] = ()
    refused: tuple[date, ...] = ()
    left: tuple[date, ...] = ()
    inputs: tuple[Dataset, ...] = ()
    outputs: tuple[Dataset, ...] = ()

    def __str__(self) -> str:
        """Write it as people read it; nothing where nothing was stale."""
        parts = [f"features of {counted(len(self.days), 'day')} healed"] if self.days else []
        parts += [f"features of {counted(len(self.refused), 'day')} refused"] if self.refused else []
        parts += [f"features of {counted(len(self.left), 'day')} not current and not used"] if self.left else []
        return "".join(f"; {part}" for part in parts)


def heal_features(pipeline: Pipeline, days: Collection[date], settings: Settings, limit: timedelta = LIMIT) -> Healed:
    """Compute again what a join for rows of some days would read and is stale, unless that takes too long.

    The time is estimated from that of the first days; what they are stays done.

    Args:
        pipeline: The declaration.
        days: The days of the rows.
        settings: Where declaration, lake and online store are.
        limit: How long it may take altogether.
    """
    began, written, refused = time.monotonic(), dict[tuple[str, date], Written](), dict[date, AirloomError]()
    staleness = Staleness.read(pipeline, settings)
    while True:
        stale = [
            (name, day)
            for name, day in staleness.before(days)
            if day not in refused and staleness.inputs and staleness.inputs.of(name, day).computable
        ]
        left, done = sorted({day for _, day in stale}), len({day for _, day in written}) + len(refused)
        spent = timedelta(seconds=time.monotonic() - began)
        if staleness.inputs is None or not left or (done and spent * (done + len(left)) / done > limit):
            break
        chosen = [(name, day) for name, day in stale if day in left[-_TOGETHER:]]
        now, failed = compute_stale(staleness.inputs, staleness.lake, chosen, settings)
        written, refused, staleness = written | now, refused | failed, staleness.again()
    healed = sorted({day for _, day in written})
    outputs = [each.dataset for _, each in sorted(written.items())]
    online = materialize(pipeline, healed[-1], settings, healed[:-1]).outputs if healed else ()
    if staleness.inputs is not None and healed:
        lift_blocks(staleness.inputs, settings)
    if left:
        _log.warning(
            "Features of %s are not current and not used; to heal them: %s",
            counted(len(left), "day"),
            healing_command(pipeline.name, left),
        )
    return Healed(tuple(healed), tuple(sorted(refused)), tuple(left), read_by(*outputs), (*outputs, *online))


def healing_command(pipeline: str, days: Collection[date]) -> str:
    """Return the command that heals the features of some days."""
    return f"airloom backfill {pipeline} --stage features --from {min(days)} --to {max(days)} --reprocess completed"
