"""Partitions: one calendar day in a pipeline's time zone, and the instant at which it ends."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from airloom.core.errors import UsageError

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


def parse_partition(text: str) -> date:
    """Read a partition as people and templates write it.

    Args:
        text: A day as ``YYYY-MM-DD``.

    Returns:
        The day.

    Raises:
        UsageError: The text is not a day of the calendar.
    """
    try:
        if not _DAY.fullmatch(text):
            raise ValueError(text)
        return date.fromisoformat(text)
    except ValueError:
        raise UsageError(
            "This is not a partition.",
            found=repr(text),
            expected="one calendar day, YYYY-MM-DD",
            do="run with a logical date, for example: airflow dags test <dag> 2013-02-10",
        ) from None


def as_of(partition: date, timezone: str) -> datetime:
    """Return the end of a partition's day, the moment whose knowledge a computation may use.

    Args:
        partition: The day.
        timezone: Name of the pipeline's time zone.

    Returns:
        The first instant of the next day there, in UTC.
    """
    midnight = datetime.combine(partition + timedelta(days=1), time(), ZoneInfo(timezone))
    return midnight.astimezone(UTC)


def after(partition: date, duration: timedelta, timezone: str) -> datetime:
    """Return the moment that lies a duration after a partition's end; whole days are days of the calendar.

    Args:
        partition: The day.
        duration: How long after it.
        timezone: Name of the pipeline's time zone.
    """
    return as_of(partition + timedelta(days=duration.days), timezone) + (duration - timedelta(days=duration.days))


def window(last: date, days: int, start: date) -> list[date]:
    """List the days that end with ``last``, oldest first, none before ``start``.

    Args:
        last: The newest day.
        days: The length of the window.
        start: The pipeline's declared start: nothing is awaited before it.
    """
    first = max(start, last - timedelta(days=days - 1))
    return day_range(first, last)


def day_range(first: date, last: date) -> list[date]:
    """List the days from ``first`` to ``last``, both included; empty when ``first`` is later."""
    return [first + timedelta(days=offset) for offset in range((last - first).days + 1)]
