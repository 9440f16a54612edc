"""Pins: while a champion is pinned, the gate judges and does not move it. Append-only, next to the ledger."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING

from airloom.core.errors import GateError
from airloom.core.failpoints import failpoint
from airloom.stores.ledger_schema import open_tables, schema
from airloom.stores.state import in_utc

if TYPE_CHECKING:
    from sqlalchemy import Engine


@dataclass(frozen=True)
class Pin:
    """One row: the champion was pinned, or let go.

    Args:
        number: Counts the rows of a pipeline from 1, without gaps.
        pinned: Whether it was pinned.
        actor: Who did it.
        reason: Why.
        decided_at: When, in UTC.
    """

    number: int
    pinned: bool
    actor: str
    reason: str
    decided_at: datetime

    def __str__(self) -> str:
        return f"by {self.actor}: {self.reason}"


@dataclass(frozen=True)
class Pins:
    """The pins of every pipeline in one state database.

    Args:
        state_url: SQLAlchemy URL of the state database.
    """

    state_url: str

    @cached_property
    def _engine(self) -> Engine:
        return open_tables(self.state_url)

    def history(self, pipeline: str) -> list[Pin]:
        """Return every row of a pipeline, oldest first."""
        pins = schema().pins
        query = pins.select().where(pins.c.pipeline == pipeline).order_by(pins.c.number)
        with self._engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
            rows = connection.execute(query).mappings().all()
        return [Pin(**{name: in_utc(value) for name, value in row.items() if name != "pipeline"}) for row in rows]

    def current(self, pipeline: str) -> Pin | None:
        """Return the pin that holds the champion now, None when nothing does."""
        history = self.history(pipeline)
        return history[-1] if history and history[-1].pinned else None

    def set(self, pipeline: str, *, pinned: bool, actor: str, reason: str) -> Pin | None:
        """Pin the champion or let it go; doing so again changes nothing.

        Returns:
            The new row, None when it was so already.

        Raises:
            GateError: Somebody else was quicker.
        """
        from sqlalchemy.exc import IntegrityError

        history = self.history(pipeline)
        if pinned == (bool(history) and history[-1].pinned):
            return None
        row = Pin(len(history) + 1, pinned, actor, reason, datetime.now(UTC))
        try:
            with self._engine.begin() as connection:
                connection.execute(schema().pins.insert().values(pipeline=pipeline, **vars(row)))
                failpoint("pin.before_commit")
        except IntegrityError:
            raise GateError(
                f"Somebody else has pinned or unpinned the champion of {pipeline} meanwhile.",
                do=f"look at it: airloom ledger {pipeline}",
            ) from None
        failpoint("pin.after_commit")
        return row
