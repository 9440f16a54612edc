"""Words for numbers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

_UNITS = {"day": timedelta(days=1), "hour": timedelta(hours=1), "minute": timedelta(minutes=1)}


def counted(number: int, noun: str) -> str:
    """Return a number with its noun, `1 row` or `1,024 rows`."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def listed(names: Sequence[str], most: int = 3) -> str:
    """Return the first of some names, `a, b, c, …`."""
    return ", ".join(names[:most]) + (", …" if len(names) > most else "")


def lasting(duration: timedelta) -> str:
    """Return a duration in the largest unit that divides it, `12 hours` or `90 minutes`."""
    for noun, unit in _UNITS.items():
        if duration and not duration % unit:
            return counted(duration // unit, noun)
    return counted(round(duration.total_seconds()), "second")
