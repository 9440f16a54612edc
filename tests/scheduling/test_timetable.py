import pendulum
import pytest
from airflow.timetables.base import DataInterval, TimeRestriction
from airflow.utils.types import DagRunType

from airloom.scheduling.timetable import Nightly

NIGHTLY = Nightly("02:00", "America/New_York")


def day(text):
    start = pendulum.parse(text, tz="UTC")
    return DataInterval(start, start.add(days=1))


def between(earliest, latest, catchup=True):
    return TimeRestriction(
        earliest=pendulum.parse(earliest, tz="UTC"),
        latest=latest and pendulum.parse(latest, tz="UTC"),
        catchup=catchup,
    )


def test_the_first_run_covers_the_first_day_and_starts_the_morning_after():
    info = NIGHTLY.next_dagrun_info(last_automated_data_interval=None, restriction=between("2013-01-01", None))
    assert info.data_interval == day("2013-01-01")
    assert info.logical_date == pendulum.datetime(2013, 1, 1, tz="UTC")
    assert info.run_after == pendulum.datetime(2013, 1, 2, 7, tz="UTC")


def test_the_next_run_covers_the_next_day():
    info = NIGHTLY.next_dagrun_info(
        last_automated_data_interval=day("2013-02-28"), restriction=between("2013-01-01", None)
    )
    assert info.data_interval == day("2013-03-01")


@pytest.mark.parametrize(("of", "hour"), [("2013-03-08", 7), ("2013-03-10", 6), ("2013-11-02", 7)])
def test_the_run_starts_at_the_local_time_whatever_daylight_saving_does(of, hour):
    before = pendulum.parse(of, tz="UTC").subtract(days=1).to_date_string()
    info = NIGHTLY.next_dagrun_info(last_automated_data_interval=day(before), restriction=between("2013-01-01", None))
    assert info.run_after.in_timezone("UTC").hour == hour


def test_a_range_that_is_typed_is_covered_exactly():
    restriction = between("2013-01-01", "2013-01-03")
    days, last = [], None
    while info := NIGHTLY.next_dagrun_info(last_automated_data_interval=last, restriction=restriction):
        last = info.data_interval
        days.append(last.start.to_date_string())
    assert days == ["2013-01-01", "2013-01-02", "2013-01-03"]


def test_without_catchup_only_the_newest_day_that_is_due_is_run():
    info = NIGHTLY.next_dagrun_info(
        last_automated_data_interval=None, restriction=between("2013-01-01", None, catchup=False)
    )
    assert info.run_after <= pendulum.now("UTC") < info.run_after.add(days=1, hours=1)


def test_a_pipeline_that_has_ended_is_not_run_any_more():
    restriction = between("2013-01-01", "2013-12-31", catchup=False)
    assert NIGHTLY.next_dagrun_info(last_automated_data_interval=None, restriction=restriction) is None


def test_a_manual_run_covers_the_day_of_its_logical_date():
    assert NIGHTLY.infer_manual_data_interval(run_after=pendulum.datetime(2013, 2, 10, 15)) == day("2013-02-10")


def test_runs_are_named_after_their_day():
    name = NIGHTLY.generate_run_id(
        run_type=DagRunType.BACKFILL_JOB, run_after=pendulum.now("UTC"), data_interval=day("2013-02-10")
    )
    assert name == "backfill__2013-02-10"


def test_the_timetable_survives_serialization():
    again = Nightly.deserialize(NIGHTLY.serialize())
    assert (again.at, again.timezone) == ("02:00", "America/New_York")
