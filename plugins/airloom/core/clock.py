"""The wall clock: the only place that decides what "now" is when a day is asked whether it may run."""

from __future__ import annotations

from datetime import UTC, datetime


def now() -> datetime:
    """Return the current moment, in UTC. Call it as `clock.now()`, so that a test that replaces it is obeyed."""
    return datetime.now(UTC)
