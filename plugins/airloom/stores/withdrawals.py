"""Withdrawals: published days that people have taken back, by whom and why, among the notes. Append-only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from airloom.core.settings import Settings
from airloom.stores.notes import Kind, Note, Notes


@dataclass(frozen=True)
class Withdrawal:
    """One day of one table that a person takes back.

    Args:
        table: The table of the lake, such as `raw.flights`.
        partition: The day.
        version: Digest of the content that is taken back.
        number: Counts how often this content of the day was taken back, from 1.
        actor: Who.
        reason: Why.
        decided_at: When it was decided, in UTC.
        done: Whether nothing of it is left to be done.
        republished_at: When the day was published again, which ends the withdrawal; None while it lasts.
    """

    table: str
    partition: date
    version: str
    number: int
    actor: str
    reason: str
    decided_at: datetime
    done: bool = False
    republished_at: datetime | None = None

    @property
    def lasts(self) -> bool:
        """Whether the day has not been published again."""
        return self.republished_at is None

    @property
    def subject(self) -> str:
        """What the notes call it."""
        return f"{self.table}@{self.version}"

    def __str__(self) -> str:
        why = f": {self.reason}" if self.reason else ""
        return f"{self.table} {self.partition}, by {self.actor} on {self.decided_at:%Y-%m-%d %H:%M} UTC{why}"


@dataclass(frozen=True)
class Withdrawals:
    """The withdrawals of one pipeline.

    Args:
        pipeline: Name of the pipeline.
        state_url: SQLAlchemy URL of the state database.
    """

    pipeline: str
    state_url: str

    @classmethod
    def of(cls, pipeline: str, settings: Settings) -> Withdrawals:
        """Return those of a pipeline of an installation."""
        return cls(pipeline, settings.state_url)

    def history(self) -> list[Withdrawal]:
        """Return every withdrawal, oldest first."""
        notes = self._notes.of(self.pipeline, "withdrawing", "withdrawn", "republished")
        later = {(each.kind, *_identity(each)): each.decided_at for each in notes}
        return [
            Withdrawal(
                table=note.subject.partition("@")[0],
                partition=note.partition,
                version=note.subject.partition("@")[2],
                number=note.number,
                actor=note.actor,
                reason=note.reason,
                decided_at=note.decided_at,
                done=("withdrawn", *_identity(note)) in later,
                republished_at=later.get(("republished", *_identity(note))),
            )
            for note in notes
            if note.kind == "withdrawing"
        ]

    def lasting(self) -> dict[tuple[str, date], Withdrawal]:
        """Return, by table and day, those whose day has not been published again."""
        return {(each.table, each.partition): each for each in self.history() if each.lasts}

    def begin(self, table: str, partition: date, version: str, actor: str, reason: str) -> Withdrawal:
        """Keep who takes a day back and why, before anything is done; one that was begun already is gone on with."""
        if present := self.lasting().get((table, partition)):
            return present
        subject = f"{table}@{version}"
        number = 1 + sum((each.subject, each.partition) == (subject, partition) for each in self.history())
        self._notes.add(self.pipeline, "withdrawing", partition, subject, actor, reason, number)
        return self.lasting()[table, partition]

    def finish(self, withdrawal: Withdrawal) -> None:
        """Keep that nothing is left to be done."""
        self._add("withdrawn", withdrawal, withdrawal.actor, withdrawal.reason)

    def end(self, table: str, partition: date, actor: str) -> None:
        """Keep that a day is published again; nothing happens where it was not taken back."""
        if withdrawal := self.lasting().get((table, partition)):
            self._add("republished", withdrawal, actor, f"{table} is published again")

    def _add(self, kind: Kind, of: Withdrawal, actor: str, reason: str) -> None:
        self._notes.add(self.pipeline, kind, of.partition, of.subject, actor, reason, of.number)

    @property
    def _notes(self) -> Notes:
        return Notes(self.state_url)


def _identity(note: Note) -> tuple[str, date, int]:
    return note.subject, note.partition, note.number
