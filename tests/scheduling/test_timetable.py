from datetime import date, datetime, time, timedelta
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import pendulum
import pytest
from airflow.api_fastapi.core_api.datamodels.dag_run import TriggerDAGRunPostBody
from airflow.timetables.base import DataInterval, TimeRestriction
from airflow.utils.types import DagRunType

from airloom.core.partitions import as_of, exists, first_moment
from airloom.scheduling import timetable
from airloom.scheduling.timetable import Nightly
from tests.worlds.zones import zones

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


@pytest.mark.parametrize(("of", "hour"), [("2013-03-08", 7), ("2013-03-09", 7), ("2013-03-10", 6), ("2013-11-02", 7)])
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


@pytest.mark.parametrize(
    ("at", "zone", "of", "starts"),
    [
        ("02:30", "America/New_York", "2024-03-09", "2024-03-10T07:00"),  # 02:30 is skipped
        ("00:00", "Africa/Cairo", "2024-04-25", "2024-04-25T22:00"),  # so is the end of the day
        ("00:30", "Africa/Cairo", "2024-04-25", "2024-04-25T22:00"),
        ("00:00", "America/St_Johns", "2010-11-06", "2010-11-07T03:30"),  # the second midnight
        ("01:00", "Antarctica/Casey", "2010-03-04", "2010-03-04T17:00"),  # the second 01:00
        ("01:30", "America/New_York", "2024-11-02", "2024-11-03T05:30"),  # twice: the first
        ("02:00", "Pacific/Apia", "2011-12-29", "2011-12-30T10:00"),
    ],
)
def test_a_run_starts_at_the_first_moment_of_its_local_time_and_never_before_the_day_has_ended(at, zone, of, starts):
    assert Nightly(at, zone).start_of_run(date.fromisoformat(of)) == pendulum.parse(starts)


def test_in_every_zone_at_every_hour_runs_start_when_they_should_one_after_the_other():
    for name, days in zones().items():
        zone = ZoneInfo(name)
        for hour in range(24):
            nightly, last = Nightly(f"{hour:02}:00", name), None
            for day in days:
                run, local = nightly.start_of_run(day), datetime.combine(day + timedelta(days=1), time(hour))
                assert run >= as_of(day, name), (name, day, hour)
                assert wall(run, zone) >= local, (name, day, hour)
                ends_twice = first_moment(day + timedelta(days=1), time(), name) < as_of(day, name)
                assert ends_twice or wall(run - timedelta(seconds=1), zone) < local, (name, day, hour)
                if exists(day, name):
                    assert last is None or run > last, (name, day, hour)
                    last = run


def wall(moment, zone):
    return moment.astimezone(zone).replace(tzinfo=None)


def test_a_day_that_the_zone_never_had_has_no_run():
    nightly, days, last = Nightly("02:00", "Pacific/Apia"), [], None
    while info := nightly.next_dagrun_info(
        last_automated_data_interval=last, restriction=between("2011-12-28", "2012-01-01")
    ):
        last = info.data_interval
        days.append(last.start.to_date_string())
    assert days == ["2011-12-28", "2011-12-29", "2011-12-31", "2012-01-01"]


@pytest.mark.parametrize("zone", ["Asia/Tokyo", "Pacific/Kiritimati", "UTC", "America/New_York", "Pacific/Pago_Pago"])
@pytest.mark.parametrize("at", ["00:00", "02:00", "23:30"])
@pytest.mark.parametrize("hour", range(0, 48, 5))
def test_unpausing_runs_the_newest_day_that_is_due_and_then_waits(now, zone, at, hour):
    moment = datetime(2024, 1, 5) + timedelta(hours=hour)
    now(moment.isoformat())
    nightly, restriction = Nightly(at, zone), between("2013-01-01", None, catchup=False)
    first = nightly.next_dagrun_info(last_automated_data_interval=None, restriction=restriction)
    second = nightly.next_dagrun_info(last_automated_data_interval=first.data_interval, restriction=restriction)
    assert first.run_after <= pendulum.instance(moment) < second.run_after
    assert second.data_interval.start == first.data_interval.end


def trigger(logical_date, nightly=NIGHTLY):
    """Ask for a run as Airflow's form and its REST API do; return what it would be created with."""
    dag = SimpleNamespace(timetable=nightly, validate_partition_key=lambda key: None)
    return TriggerDAGRunPostBody(logical_date=logical_date).validate_context(dag)


def test_a_manual_run_covers_the_day_that_starts_at_its_logical_date():
    run = trigger("2013-02-10T00:00Z")
    assert (run["run_id"], run["data_interval"]) == ("manual__2013-02-10", day("2013-02-10"))


@pytest.mark.parametrize(
    ("logical_date", "said"),
    [
        (
            "2024-01-06T14:05:06Z",
            "A logical date is the start of a day, 00:00 in UTC (2024-01-06T14:05:06+00:00, which could mean "
            "2024-01-05 or 2024-01-06; not ended in America/New_York: 2024-01-06); "
            "type 2024-01-05T00:00:00+00:00 for 2024-01-05.",
        ),
        (
            "2024-01-04T20:00-05:00",
            "A logical date is the start of a day, 00:00 in UTC (2024-01-05T01:00:00+00:00, which could mean "
            "2024-01-04 or 2024-01-05); type 2024-01-04T00:00:00+00:00 for 2024-01-04, or 2024-01-05T00:00:00+00:00 "
            "for 2024-01-05.",
        ),
        (
            "2024-01-06T00:00Z",
            "2024-01-06 has not ended in America/New_York (it ends at 2024-01-07 05:00 UTC, and it is 2024-01-06 14:05 "
            "UTC); wait for its end, or run 2024-01-05.",
        ),
    ],
)
def test_triggering_what_cannot_run_is_refused_in_one_sentence(now, logical_date, said):
    now("2024-01-06T14:05:06.789")
    with pytest.raises(ValueError, match=r"A logical date|not ended") as refused:
        trigger(logical_date)
    assert str(refused.value) == said


def test_the_command_that_hides_the_logical_date_leaves_it_to_the_first_task():
    # `airflow dags trigger` asks for the interval and the id of the current moment, whatever was typed.
    moment = pendulum.datetime(2024, 1, 6, 14, 5, 6)
    interval = NIGHTLY.infer_manual_data_interval(run_after=moment)
    name = NIGHTLY.generate_run_id(run_type=DagRunType.MANUAL, run_after=moment, data_interval=interval)
    assert name == "manual__2024-01-06T14:05:06+00:00"


def test_runs_are_named_after_their_day():
    name = NIGHTLY.generate_run_id(
        run_type=DagRunType.BACKFILL_JOB, run_after=pendulum.now("UTC"), data_interval=day("2013-02-10")
    )
    assert name == "backfill__2013-02-10"


def test_the_timetable_survives_serialization():
    again = Nightly.deserialize(NIGHTLY.serialize())
    assert (again.at, again.timezone) == ("02:00", "America/New_York")


def test_a_timetable_that_an_earlier_version_stored_is_read():
    again = Nightly.deserialize({"at": "02:00", "timezone": "America/New_York"})
    assert (again.at, again.timezone, again.dag_id) == ("02:00", "America/New_York", "")


def test_triggering_a_day_that_has_run_says_what_runs_it_again(now, monkeypatch):
    now("2024-01-06T14:05")
    monkeypatch.setattr(timetable, "run_of", lambda dag_id, logical_date: f"scheduled__{logical_date.date()}")
    stage = Nightly("02:00", "America/New_York", "churn.score")
    with pytest.raises(ValueError, match=r"churn\.score has a run for 2024-01-04") as refused:
        trigger("2024-01-04T00:00Z", stage)
    assert "type: airloom run churn --stage score --day 2024-01-04; or Clear that run" in str(refused.value)
