"""Pins: while a champion is pinned, the gate judges and does not move it. Append-only, next to the ledger."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from airloom.core.errors import GateError
from airloom.stores.ledger_schema import schema
from airloom.stores.ledger_tables import LedgerTables


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


class Pins(LedgerTables):
    """The pins of every pipeline in one state database."""

    def history(self, pipeline: str) -> list[Pin]:
        """Return every row of a pipeline, oldest first."""
        pins = schema().pins
        rows = self._read(pins.select().where(pins.c.pipeline == pipeline).order_by(pins.c.number))
        return [Pin(**row) for row in rows]

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
        history = self.history(pipeline)
        if pinned == (bool(history) and history[-1].pinned):
            return None
        row = Pin(len(history) + 1, pinned, actor, reason, datetime.now(UTC))
        if not self._add("pin", schema().pins, pipeline=pipeline, **vars(row)):
            raise GateError(
                f"Somebody else has pinned or unpinned the champion of {pipeline} meanwhile.",
                do=f"look at it: airloom ledger {pipeline}",
            )
        return row
