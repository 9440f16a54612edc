"""Time zones as they differ: one name for each history of offsets, and the days around each kind of its changes."""

from datetime import UTC, date, datetime, timedelta
from functools import cache
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

FIRST, LAST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2038, 1, 1, tzinfo=UTC)
#: It finds every change that a step of one day finds.
_STEP = timedelta(days=4)


@cache
def zones():
    """Every IANA zone, those that agree from 2000 to 2037 only once, with their days that may differ from others.

    Clocks of one zone change in the same way again and again: from one offset to another at one local time. Of each
    kind of change the first and the last are taken, with the two days before, and a quiet day every five years.
    """
    histories = {_changes(name): name for name in sorted(available_timezones(), reverse=True)}
    quiet = {date(year, 5, 15) for year in range(2000, 2038, 5)}
    return {name: sorted(quiet | _near(changes)) for changes, name in histories.items()}


def _changes(name):
    """The first offset of a zone, and each minute from which on it has another one."""
    zone, moment = ZoneInfo(name), FIRST
    offset = moment.astimezone(zone).utcoffset()
    found = [(moment, offset)]
    while moment < LAST:
        moment += _STEP
        if (now := moment.astimezone(zone).utcoffset()) != offset:
            found.append((_change(zone, moment - _STEP), now))
            offset = now
    return tuple(found)


def _change(zone, before):
    offset, after = before.astimezone(zone).utcoffset(), before + _STEP
    while after - before > timedelta(minutes=1):
        middle = before + (after - before) // timedelta(minutes=2) * timedelta(minutes=1)
        before, after = (middle, after) if middle.astimezone(zone).utcoffset() == offset else (before, middle)
    return after


def _near(changes):
    kinds = {}
    for (_, old), (moment, new) in pairwise(changes):
        local = moment + old
        kinds.setdefault((old, new, local.time()), []).append(local.date())
    days = {day for found in kinds.values() for day in (found[0], found[-1])}
    return {day + timedelta(days=offset) for day in days for offset in (-2, -1, 0)}
