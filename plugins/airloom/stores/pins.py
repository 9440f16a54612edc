"""Pins: while a champion is pinned, the gate judges and does not move it. Append-only, next to the ledger."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from airloom.core.errors import GateError
from airloom.stores.ledger_schema import schema
from airloom.stores.ledger_tables import LedgerTables

if TYPE_CHECKING:
    from sqlalchemy import Connection


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

    def history(self, pipeline: str, within: Connection | None = None) -> list[Pin]:
        """Return every row of a pipeline, oldest first, as a transaction sees them where one is given."""
        pins = schema().pins
        rows = self._read(pins.select().where(pins.c.pipeline == pipeline).order_by(pins.c.number), within)
        return [Pin(**row) for row in rows]

    def current(self, pipeline: str, within: Connection | None = None) -> Pin | None:
        """Return the pin that holds the champion now, None when nothing does."""
        history = self.history(pipeline, within)
        return history[-1] if history and history[-1].pinned else None

    def set(
        self,
        pipeline: str,
        *,
        pinned: bool,
        actor: str,
        reason: str,
        condition: Callable[[Connection], None] | None = None,
    ) -> Pin | None:
        """Pin the champion or let it go; doing so again changes nothing.

        Args:
            pipeline: Name of the pipeline.
            pinned: Whether to pin it.
            actor: Who does it.
            reason: Why.
            condition: Raises unless that may be done; the champion does not move between it and the new row.

        Returns:
            The new row, None when it was so already.

        Raises:
            GateError: Somebody else was quicker.
        """
        history = self.history(pipeline)
        if pinned == (bool(history) and history[-1].pinned):
            return None
        row = Pin(len(history) + 1, pinned, actor, reason, datetime.now(UTC))
        if not self._add("pin", schema().pins, condition, pipeline=pipeline, **vars(row)):
            raise GateError(
                f"Somebody else has pinned or unpinned the champion of {pipeline} meanwhile.",
                do=f"look at it: airloom ledger {pipeline}",
            )
        return row
