"""Partitions: one calendar day in a pipeline's time zone, and the instant at which it ends."""

from __future__ import annotations

import re
from bisect import bisect_left
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo

from airloom.core import clock
from airloom.core.errors import NotDue, UsageError

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_ONE_DAY, _NOON = timedelta(days=1), 12


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
        day = date.fromisoformat(text)
        # The first and the last day of the calendar have no day before or after them to be told apart from.
        if not date.min < day < date.max:
            raise ValueError(text)
        return day
    except ValueError:
        raise UsageError(
            "This is not a partition.",
            found=repr(text),
            expected="one calendar day, YYYY-MM-DD",
            do="run with a logical date, for example: airflow dags test <dag> 2013-02-10",
        ) from None


def partition_to_run(text: str, timezone: str) -> date:
    """Read the partition of a run and make sure that it may run now: what every operator and trigger asks first.

    Args:
        text: The day as ``YYYY-MM-DD``, or a logical date that is not the start of a day, as an ISO moment.
        timezone: Name of the pipeline's time zone.

    Returns:
        The day.

    Raises:
        UsageError: This is not one day, or a day that has not ended.
        NotDue: The zone never had this day.
    """
    try:
        moment = datetime.fromisoformat(text) if "T" in text else None
    except ValueError:
        moment = None
    if moment is not None and date.min.year < moment.year < date.max.year:
        day = day_of(moment, timezone)
    else:
        day = parse_partition(text)
    require_ended(day, timezone)
    return day


def day_of(logical_date: datetime, timezone: str) -> date:
    """Return the day of a logical date, which is the day's start in UTC: 00:00, whatever the pipeline's zone.

    Args:
        logical_date: The logical date; without a zone it is in UTC.
        timezone: Name of the pipeline's time zone.

    Raises:
        UsageError: It is not the start of a day; the error names both days that it could mean.
    """
    utc = logical_date.astimezone(UTC) if logical_date.tzinfo else logical_date.replace(tzinfo=UTC)
    if utc.time() == time():
        return utc.date()
    first, second = sorted((utc.date(), _other_meaning(logical_date, utc, timezone)))
    ahead = [str(day) for day in (first, second) if not has_ended(day, timezone)]
    runnable = [day for day in (first, second) if has_ended(day, timezone)] or [newest_ended(timezone)]
    raise UsageError(
        "A logical date is the start of a day, 00:00 in UTC.",
        found=f"{utc:%Y-%m-%dT%H:%M:%S}+00:00, which could mean {first} or {second}"
        + (f"; not ended in {timezone}: {', '.join(ahead)}" if ahead else ""),
        do="type " + ", or ".join(f"{day}T00:00:00+00:00 for {day}" for day in runnable),
    )


def _other_meaning(logical_date: datetime, utc: datetime, timezone: str) -> date:
    """Return the day besides the one in UTC that a logical date could mean.

    That is its day as it was typed, or in the pipeline's zone. Where all of them agree, it is the next day for a moment
    in the evening, as the midnight of a zone in the east is one, and else the day before, whose run starts on this one.
    """
    day = utc.date()
    guesses = [logical_date.date(), utc.astimezone(ZoneInfo(timezone)).date()]
    if utc.hour >= _NOON and has_ended(day + _ONE_DAY, timezone):
        guesses.append(day + _ONE_DAY)
    return next((guess for guess in guesses if guess != day), day - _ONE_DAY)


def require_ended(partition: date, timezone: str) -> None:
    """Make sure that a partition may run now: the one rule of every step, operator, trigger, command and backfill.

    Args:
        partition: The day.
        timezone: Name of the pipeline's time zone.

    Raises:
        UsageError: The day has not ended: what is known of it now is not what was known at its end.
        NotDue: The zone never had this day.
    """
    if not has_ended(partition, timezone):
        newest = newest_ended(timezone)
        ends = as_of(partition, timezone)
        raise UsageError(
            f"{partition} has not ended in {timezone}.",
            found=f"it ends at {ends:%Y-%m-%d %H:%M} UTC, and it is {clock.now():%Y-%m-%d %H:%M} UTC",
            expected=f"a day that has ended: {newest} or earlier",
            do=f"wait for its end, or run {newest}",
        )
    if not exists(partition, timezone):
        raise NotDue(f"{timezone} never had {partition}: its partition is empty, and nothing waits for it.")


def has_ended(partition: date, timezone: str) -> bool:
    """Return whether a partition's day has ended."""
    return as_of(partition, timezone) <= clock.now()


def newest_ended(timezone: str) -> date:
    """Return the newest day that has ended in a zone."""
    day = clock.now().astimezone(ZoneInfo(timezone)).date()
    while not (has_ended(day, timezone) and exists(day, timezone)):
        day -= _ONE_DAY
    return day


def exists(partition: date, timezone: str) -> bool:
    """Return whether a zone had a day; one that moved across the date line lacks one (Pacific/Apia, 2011-12-30)."""
    return as_of(partition - _ONE_DAY, timezone) < as_of(partition, timezone)


@cache
def as_of(partition: date, timezone: str) -> datetime:
    """Return the end of a partition's day, the moment whose knowledge a computation may use.

    Args:
        partition: The day.
        timezone: Name of the pipeline's time zone.

    Returns:
        The moment from which on it is a later day there, in UTC.
    """
    morning = date(partition.year, partition.month, partition.day) + _ONE_DAY
    ends, again = (first_moment(morning, time(fold=fold), timezone) for fold in (0, 1))
    # Where clocks go back over midnight, the day goes on after its first end.
    before = (again - timedelta(microseconds=1)).astimezone(ZoneInfo(timezone))
    return again if before.date() < morning else ends


def first_moment(day: date, at: time, timezone: str) -> datetime:
    """Return the first moment at which the clocks of a zone show a local time, or a later one if they skip it.

    Args:
        day: The local day.
        at: The local time; with ``fold=1`` the second moment, where clocks go back and show it twice.
        timezone: Name of the time zone.

    Returns:
        The moment, in UTC.
    """
    zone, local = ZoneInfo(timezone), datetime.combine(day, at).replace(fold=0)
    first, last = sorted(local.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    if first.astimezone(zone).replace(tzinfo=None) == local:
        return last if at.fold else first
    # The time is skipped: `first` lies before the change of the clocks and `last` after it.
    offset = last.astimezone(zone).utcoffset()
    seconds = range(int((last - first).total_seconds()) + 1)

    def has_changed(second: int) -> bool:
        return (first + timedelta(seconds=second)).astimezone(zone).utcoffset() == offset

    return first + timedelta(seconds=bisect_left(seconds, True, key=has_changed))


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


def local_days(first: date, last: date, timezone: str) -> list[date]:
    """List the days from ``first`` to ``last``, both included, that a zone had; empty when ``first`` is later."""
    return [day for day in day_range(first, last) if exists(day, timezone)]


def day_range(first: date, last: date) -> list[date]:
    """List the days of the calendar from ``first`` to ``last``, both included; empty when ``first`` is later."""
    return [first + timedelta(days=offset) for offset in range((last - first).days + 1)]
