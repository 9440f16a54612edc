"""Notes: what else happened to a night, next to the ledger. Append-only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Literal

from airloom.stores.ledger_schema import schema
from airloom.stores.ledger_tables import LedgerTables

#: A verdict that came too late (`superseded`), that a person has turned down (`declined`), or that was looked back on
#: four weeks later (`reviewed`); a training that failed, and the pause that follows too many of them; a champion that
#: is worse than the average, or no longer; a published day that a person is taking back (`withdrawing`), that is taken
#: back (`withdrawn`), or that was published again since (`republished`).
Kind = Literal[
    "superseded",
    "declined",
    "reviewed",
    "failed",
    "paused",
    "worse",
    "recovered",
    "withdrawing",
    "withdrawn",
    "republished",
]


@dataclass(frozen=True)
class Note:
    """One fact.

    Args:
        kind: What happened.
        partition: To which night.
        subject: To what: a verdict, or the recipe of a training.
        number: Counts what happened to the subject more than once, such as answers to a verdict, from 1.
        actor: Who or what noted it.
        reason: Why.
        decided_at: When, in UTC.
    """

    kind: str
    partition: date
    subject: str
    number: int
    actor: str
    reason: str
    decided_at: datetime


class Notes(LedgerTables):
    """The notes of every pipeline in one state database."""

    def add(
        self, pipeline: str, kind: Kind, partition: date, subject: str, actor: str, reason: str, number: int = 1
    ) -> bool:
        """Keep a fact as it is said first; return whether it is new."""
        note = Note(kind, partition, subject, number, actor, reason, datetime.now(UTC))
        return self._add("note", schema().notes, pipeline=pipeline, **vars(note))

    def add_answer(self, pipeline: str, partition: date, verdict: str, actor: str, reason: str) -> bool:
        """Keep that a verdict was turned down, each time; return False when that is its newest note already."""
        notes = [note for note in self.of(pipeline) if note.subject == verdict]
        if notes and (notes[-1].kind, notes[-1].actor, notes[-1].reason) == ("declined", actor, reason):
            return False
        new = self.add(pipeline, "declined", partition, verdict, actor, reason, len(notes) + 1)
        # Another run was quicker, with the same answer or with one of its own.
        return new or self.add_answer(pipeline, partition, verdict, actor, reason)

    def of(self, pipeline: str, *kinds: Kind) -> list[Note]:
        """Return a pipeline's notes of some kinds, of all without any, in the order in which they were made."""
        notes = schema().notes
        query = notes.select().where(notes.c.pipeline == pipeline).order_by(notes.c.decided_at)
        if kinds:
            query = query.where(notes.c.kind.in_(kinds))
        return [Note(**row) for row in self._read(query)]
