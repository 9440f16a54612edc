"""Nightly: one run per calendar day, started at a local time after the day has ended."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pendulum
from airflow.timetables.base import DagRunInfo, DataInterval, TimeRestriction, Timetable
from pendulum import DateTime


class Nightly(Timetable):
    """Run once for every calendar day, the morning after.

    The data interval is the day D (logical date: D at 00:00 UTC), so that a backfill covers exactly the days that
    were typed; the run starts at the given local time of the day after.

    Args:
        at: Local time of the start, ``HH:MM``.
        timezone: IANA name of the time zone.
    """

    def __init__(self, at: str, timezone: str) -> None:
        self.at = at
        self.timezone = timezone
        self.description = f"nightly at {at} {timezone}, for the day before"

    def serialize(self) -> dict[str, Any]:
        """Return the arguments, for the serialized DAG."""
        return {"at": self.at, "timezone": self.timezone}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> Nightly:
        """Make the timetable from its arguments."""
        return cls(**data)

    @property
    def summary(self) -> str:
        """What the UI shows as the schedule."""
        return f"nightly {self.at} {self.timezone}"

    def infer_manual_data_interval(self, *, run_after: DateTime) -> DataInterval:
        """Return the day on which a moment lies."""
        return _day(run_after)

    def next_dagrun_info(
        self, *, last_automated_data_interval: DataInterval | None, restriction: TimeRestriction
    ) -> DagRunInfo | None:
        """Return the run for the next day: the first one, the one after the last, or the newest that is due."""
        if last_automated_data_interval is not None:
            day = _day(last_automated_data_interval.start.add(days=1))
        elif restriction.earliest is not None:
            day = _day(restriction.earliest)
        else:
            return None
        if not restriction.catchup:
            day = max(day, self._newest_due())
        if restriction.latest is not None and day.start > restriction.latest:
            return None
        return DagRunInfo(run_after=self.start_of_run(day.start.date()), data_interval=day)

    def generate_run_id(self, *, run_type: Any, run_after: DateTime, data_interval: Any, **extra: Any) -> str:
        """Name a run after its day."""
        suffix = data_interval.start.date().isoformat() if data_interval else run_after.isoformat()
        return str(run_type.generate_run_id(suffix=suffix))

    def start_of_run(self, day: date) -> DateTime:
        """Return the moment at which a day's run is scheduled: the local time on the day after, in UTC."""
        local = datetime.combine(day + timedelta(days=1), time.fromisoformat(self.at), ZoneInfo(self.timezone))
        return pendulum.instance(local).in_timezone("UTC")

    def _newest_due(self) -> DataInterval:
        day = _day(pendulum.now("UTC").subtract(days=1))
        return day if self.start_of_run(day.start.date()) <= pendulum.now("UTC") else _day(day.start.subtract(days=1))


def _day(moment: DateTime) -> DataInterval:
    start = moment.in_timezone("UTC").start_of("day")
    return DataInterval(start=start, end=start.add(days=1))
