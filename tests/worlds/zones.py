"""Time zones as they differ: one name for each history of offsets, and the days around each kind of its changes."""

from datetime import UTC, date, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

FIRST, LAST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2038, 1, 1, tzinfo=UTC)
#: It finds every change that a step of one day finds.
_STEP = timedelta(days=4)


@cache
def zones():
    """Every IANA zone, those with the same offsets from 2000 to 2037 only once, with their days that may differ.

    Clocks of one zone change in the same way again and again: from one offset to another at one local time. Of each
    kind of change the first and the last are taken, with the two days before, and a quiet day every five years.
    """
    moments = [FIRST + number * _STEP for number in range((LAST - FIRST) // _STEP)]
    histories = {}
    for name in sorted(available_timezones()):
        zone = ZoneInfo(name)
        histories.setdefault(tuple(moment.astimezone(zone).utcoffset() for moment in moments), name)
    quiet = {date(year, 5, 15) for year in range(2000, 2038, 5)}
    return {name: sorted(quiet | _near(ZoneInfo(name), moments, offsets)) for offsets, name in histories.items()}


def _near(zone, moments, offsets):
    kinds = {}
    for before, old, new in zip(moments, offsets, offsets[1:], strict=False):
        if old != new:
            change = _change(zone, before)
            kinds.setdefault((old, new, (change + old).time()), []).append((change + old).date())
    days = {day for found in kinds.values() for day in (found[0], found[-1])}
    return {day + timedelta(days=offset) for day in days for offset in (-2, -1, 0)}


def _change(zone, before):
    """The first minute after a moment at which a zone has another offset."""
    offset, after = before.astimezone(zone).utcoffset(), before + _STEP
    while after - before > timedelta(minutes=1):
        middle = before + (after - before) // timedelta(minutes=2) * timedelta(minutes=1)
        before, after = (middle, after) if middle.astimezone(zone).utcoffset() == offset else (before, middle)
    return after
