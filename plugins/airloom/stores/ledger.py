"""The ledger: append-only, bitemporal history of champions and the verdicts behind it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import partial
from typing import TYPE_CHECKING

from airloom.core.errors import ChampionMoved, ChampionPinned, GateError, UsageError
from airloom.core.failpoints import failpoint
from airloom.core.verdict import Head, Verdict
from airloom.stores.ledger_schema import schema
from airloom.stores.ledger_tables import LedgerTables
from airloom.stores.pins import Pins

if TYPE_CHECKING:
    from sqlalchemy import Connection


@dataclass(frozen=True)
class Champion:
    """One row of the ledger.

    Args:
        epoch: Counts the champions of a pipeline from 1, without gaps.
        effective_from: The partition from which it is champion.
        version: Its registered version.
        verdict: The verdict that made it champion.
        actor: Who or what did it.
        reason: Why.
        decided_at: When, in UTC.
    """

    epoch: int
    effective_from: date
    version: int
    verdict: str | None
    actor: str
    reason: str
    decided_at: datetime


def effective(history: Sequence[Champion], partition: date) -> Champion | None:
    """Return the newest champion of a history that is effective for a partition, None when there is none."""
    return next((each for each in reversed(history) if each.effective_from <= partition), None)


def champion_then(history: Sequence[Champion], moment: datetime) -> Champion | None:
    """Return the champion of a history that production used at a moment, None before the first."""
    return next((each for each in reversed(history) if each.decided_at <= moment), None)


class Ledger(LedgerTables):
    """The champions of every pipeline in one state database, and the verdicts."""

    def history(self, pipeline: str, within: Connection | None = None) -> list[Champion]:
        """Return every champion that a pipeline ever had, oldest epoch first, as a transaction sees them if given."""
        champions = schema().champions
        query = champions.select().where(champions.c.pipeline == pipeline).order_by(champions.c.epoch)
        rows = self._read(query, within)
        return [Champion(**row) for row in rows]

    def head(self, pipeline: str, within: Connection | None = None) -> Head | None:
        """Return the newest champion, None when there never was one."""
        history = self.history(pipeline, within)
        return (
            None
            if not history
            else Head(epoch=history[-1].epoch, version=history[-1].version, as_of=history[-1].effective_from)
        )

    def champion_as_of(self, pipeline: str, partition: date) -> Champion | None:
        """Return the champion that was effective for a partition, as it is known today."""
        return effective(self.history(pipeline), partition)

    def champion_at(self, pipeline: str, moment: datetime) -> Champion | None:
        """Return the champion that production used at a moment of the clock, None before the first.

        Args:
            pipeline: Name of the pipeline.
            moment: The moment, with its time zone.

        Raises:
            UsageError: The moment has no time zone.
        """
        if moment.tzinfo is None:
            raise UsageError("A moment needs a time zone.", found=str(moment), expected="for example 2026-01-31T02:00Z")
        return champion_then(self.history(pipeline), moment)

    def promote(
        self,
        pipeline: str,
        *,
        expected_epoch: int,
        effective_from: date,
        version: int,
        verdict: str | None,
        actor: str,
        reason: str,
        even_pinned: bool = False,
    ) -> Champion:
        """Append a champion if nobody else has done so since, and nobody has pinned the one that is.

        Args:
            pipeline: Name of the pipeline.
            expected_epoch: The epoch that the decision was made against; 0 when there was no champion.
            effective_from: The partition from which the version is champion.
            version: The registered version.
            verdict: The verdict behind it.
            actor: Who or what does it.
            reason: Why.
            even_pinned: Whether a pin is no hindrance: it does not keep people from moving the champion.

        Returns:
            The new row.

        Raises:
            ChampionMoved: The champion has moved since the decision.
            ChampionPinned: It is pinned.
        """
        row = Champion(expected_epoch + 1, effective_from, version, verdict, actor, reason, datetime.now(UTC))
        condition = partial(self._require_movable, pipeline, expected_epoch, even_pinned)
        failpoint("promote.before_row")
        if not self._add("promote", schema().champions, condition, pipeline=pipeline, **vars(row)):
            raise _moved(pipeline, expected_epoch, self.head(pipeline))
        return row

    def require_epoch(self, pipeline: str, expected: int, within: Connection) -> None:
        """Make sure, in a transaction, that the champion is the one that a decision was made against.

        Raises:
            ChampionMoved: It is another one.
        """
        head = self.head(pipeline, within)
        if (head.epoch if head else 0) != expected:
            raise _moved(pipeline, expected, head)

    def record(self, verdict: Verdict) -> None:
        """Keep a verdict; keeping the same one again changes nothing."""
        self._add(
            "record",
            schema().verdicts,
            id=verdict.id,
            pipeline=verdict.pipeline,
            partition=verdict.partition,
            outcome=verdict.outcome,
            body=verdict.model_dump_json(exclude={"id"}),
            decided_at=datetime.now(UTC),
        )

    def verdict(self, identifier: str) -> Verdict:
        """Return one verdict.

        Raises:
            GateError: There is no such verdict.
        """
        verdicts = schema().verdicts
        found = self._read(verdicts.select().where(verdicts.c.id == identifier))
        if not found:
            raise GateError(f"The ledger has no verdict {identifier}.", do="run the decide step first")
        return Verdict.model_validate_json(found[0]["body"])

    def verdicts(self, pipeline: str, partition: date | None = None) -> list[Verdict]:
        """Return a pipeline's verdicts, in the order in which they were made."""
        verdicts = schema().verdicts
        query = verdicts.select().where(verdicts.c.pipeline == pipeline).order_by(verdicts.c.decided_at)
        rows = self._read(query if partition is None else query.where(verdicts.c.partition == partition))
        return [Verdict.model_validate_json(row["body"]) for row in rows]

    def decisions(self, pipeline: str) -> list[tuple[datetime, Verdict]]:
        """Return a pipeline's verdicts with the moments at which they were made, oldest first."""
        verdicts = schema().verdicts
        query = verdicts.select().where(verdicts.c.pipeline == pipeline).order_by(verdicts.c.decided_at)
        return [(row["decided_at"], Verdict.model_validate_json(row["body"])) for row in self._read(query)]

    def _require_movable(self, pipeline: str, expected: int, even_pinned: bool, within: Connection) -> None:
        self.require_epoch(pipeline, expected, within)
        pin = None if even_pinned else Pins(self.state_url).current(pipeline, within)
        if pin:
            raise ChampionPinned(
                f"The champion of {pipeline} is pinned.",
                found=str(pin),
                do=f"let it go where it may move: airloom unpin {pipeline}",
            )


def _moved(pipeline: str, expected_epoch: int, head: Head | None) -> ChampionMoved:
    return ChampionMoved(
        f"The champion of {pipeline} has moved since this was decided.",
        found=f"epoch {head.epoch}, version {head.version}" if head else "no champion",
        expected=f"epoch {expected_epoch}",
        do="judge or choose again, against the champion of now",
    )
