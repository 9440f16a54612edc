"""Nightly: one run per calendar day, started at a local time after the day has ended."""

from __future__ import annotations

from datetime import date, time, timedelta
from typing import Any

import pendulum
from airflow.timetables.base import DagRunInfo, DataInterval, TimeRestriction, Timetable
from airflow.utils.types import DagRunType
from pendulum import DateTime

from airloom.core import clock
from airloom.core.errors import AirloomError
from airloom.core.partitions import as_of, day_of, exists, first_moment, newest_ended, require_ended


class Nightly(Timetable):
    """Run once for every calendar day, the morning after.

    The data interval is the day D (logical date: D at 00:00 UTC), so that a backfill covers exactly the days that
    were typed; the run starts at the given local time of the day after, or at the first moment after it on a night on
    which the clocks skip it, and never before D has ended. A day that the zone never had has no run.

    Args:
        at: Local time of the start, ``HH:MM``.
        timezone: IANA name of the time zone.
        dag_id: The DAG, so that a day that has a run is refused in words; not checked without.
    """

    def __init__(self, at: str, timezone: str, dag_id: str = "") -> None:
        self.at = at
        self.timezone = timezone
        self.dag_id = dag_id
        self.description = f"nightly at {at} {timezone}, for the day before"

    def serialize(self) -> dict[str, Any]:
        """Return the arguments, for the serialized DAG."""
        return {"at": self.at, "timezone": self.timezone, "dag_id": self.dag_id}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> Nightly:
        """Make the timetable from its arguments."""
        return cls(**data)

    @property
    def summary(self) -> str:
        """What the UI shows as the schedule."""
        return f"nightly {self.at} {self.timezone}"

    def infer_manual_data_interval(self, *, run_after: DateTime) -> DataInterval:
        """Return the day that starts at a moment; of any other moment the moment itself, which is no day."""
        interval = _day(run_after)
        return interval if interval.start == run_after else DataInterval.exact(run_after)

    def next_dagrun_info(
        self, *, last_automated_data_interval: DataInterval | None, restriction: TimeRestriction
    ) -> DagRunInfo | None:
        """Return the run for the next day: the first one, the one after the last, or the newest that is due."""
        if last_automated_data_interval is not None:
            day: date = last_automated_data_interval.start.in_timezone("UTC").date() + timedelta(days=1)
        elif restriction.earliest is not None:
            day = restriction.earliest.in_timezone("UTC").date()
        else:
            return None
        if not restriction.catchup:
            day = max(day, self._newest_due())
        while not exists(day, self.timezone):
            day += timedelta(days=1)
        interval = _day(pendulum.datetime(day.year, day.month, day.day))
        if restriction.latest is not None and interval.start > restriction.latest:
            return None
        return DagRunInfo(run_after=self.start_of_run(day), data_interval=interval)

    def generate_run_id(self, *, run_type: Any, run_after: DateTime, data_interval: Any, **extra: Any) -> str:
        """Name a run after its day.

        Raises:
            ValueError: A manual run's logical date is not a day that may run, or one that has a run. Airflow's form and
                its REST API show the text; where they are not used, the run's first task refuses it.
        """
        # `airflow dags trigger` passes the current moment for both, and the logical date to neither method.
        if run_type == DagRunType.MANUAL and data_interval and data_interval.start != run_after:
            self._require_day(data_interval.start)
        exact = data_interval is None or data_interval.start == data_interval.end
        suffix = run_after.isoformat() if exact else data_interval.start.date().isoformat()
        return str(run_type.generate_run_id(suffix=suffix))

    def start_of_run(self, day: date) -> DateTime:
        """Return the moment at which a day's run is scheduled: the local time on the day after, in UTC."""
        at, morning = time.fromisoformat(self.at), day + timedelta(days=1)
        starts = first_moment(morning, at, self.timezone)
        if starts < as_of(day, self.timezone):
            # Clocks go back over midnight and show this time twice: the day goes on after the first of them.
            starts = first_moment(morning, at.replace(fold=1), self.timezone)
        return pendulum.from_timestamp(starts.timestamp())

    def _require_day(self, logical_date: DateTime) -> None:
        try:
            require_ended(day_of(logical_date, self.timezone), self.timezone)
        except AirloomError as error:
            raise ValueError(error.sentence) from None
        if self.dag_id and (run_id := run_of(self.dag_id, logical_date)):
            pipeline, stage, day = *self.dag_id.split("."), logical_date.date()
            raise ValueError(
                f"{self.dag_id} has a run for {day}, {run_id}, and Airflow has one run for a day; "
                f"to run the day again, type: "
                f"airloom run {pipeline} --stage {stage} --day {day}; or Clear that run in the grid."
            )

    def _newest_due(self) -> date:
        day = newest_ended(self.timezone)
        while not (self.start_of_run(day) <= clock.now() and exists(day, self.timezone)):
            day -= timedelta(days=1)
        return day


def run_of(dag_id: str, logical_date: DateTime) -> str | None:
    """Return the id of a DAG's run of a day from Airflow's database: only its servers may ask."""
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session
    from sqlalchemy import select

    wanted = select(DagRun.run_id).where(DagRun.dag_id == dag_id, DagRun.logical_date == logical_date)
    # A session of its own: the one of the request must not be committed here.
    with create_session(scoped=False) as session:
        return session.scalar(wanted)


def _day(moment: DateTime) -> DataInterval:
    start = moment.in_timezone("UTC").start_of("day")
    return DataInterval(start=start, end=start.add(days=1))
