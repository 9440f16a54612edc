"""Notes: what else happened to a night, next to the ledger. Append-only, each fact once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from airloom.core.failpoints import failpoint
from airloom.stores.ledger_schema import open_tables, schema
from airloom.stores.state import in_utc

if TYPE_CHECKING:
    from sqlalchemy import Engine

#: A verdict that came too late (`superseded`) or that a person has turned down (`declined`), a training that failed,
#: and the pause that follows too many of them.
Kind = Literal["superseded", "declined", "failed", "paused"]


@dataclass(frozen=True)
class Note:
    """One fact.

    Args:
        kind: What happened.
        partition: To which night.
        subject: To what: a verdict, or the recipe of a training.
        actor: Who or what noted it.
        reason: Why.
        decided_at: When, in UTC.
    """

    kind: str
    partition: date
    subject: str
    actor: str
    reason: str
    decided_at: datetime


@dataclass(frozen=True)
class Notes:
    """The notes of every pipeline in one state database.

    Args:
        state_url: SQLAlchemy URL of the state database.
    """

    state_url: str

    @cached_property
    def _engine(self) -> Engine:
        return open_tables(self.state_url)

    def add(self, pipeline: str, kind: Kind, partition: date, subject: str, actor: str, reason: str) -> bool:
        """Keep a fact; return whether it is new."""
        from sqlalchemy.exc import IntegrityError

        note = Note(kind, partition, subject, actor, reason, datetime.now(UTC))
        try:
            with self._engine.begin() as connection:
                connection.execute(schema().notes.insert().values(pipeline=pipeline, **vars(note)))
                failpoint("note.before_commit")
        except IntegrityError:
            return False
        failpoint("note.after_commit")
        return True

    def of(self, pipeline: str, *kinds: Kind) -> list[Note]:
        """Return a pipeline's notes of some kinds, of all without any, in the order in which they were made."""
        notes = schema().notes
        query = notes.select().where(notes.c.pipeline == pipeline).order_by(notes.c.decided_at)
        if kinds:
            query = query.where(notes.c.kind.in_(kinds))
        with self._engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
            rows = connection.execute(query).mappings().all()
        return [Note(**{name: in_utc(value) for name, value in row.items() if name != "pipeline"}) for row in rows]
