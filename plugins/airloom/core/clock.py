"""The wall clock: the one place that says what "now" is wherever it is decided whether a day may run."""

from __future__ import annotations

from datetime import UTC, datetime


def now() -> datetime:
    """Return the current moment, in UTC. Call it as `clock.now()`, so that tests can replace it."""
    return datetime.now(UTC)
