"""Which moment ends a day, which local time a night has, and which day may run now."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from airloom.core.errors import NotDue, UsageError
from airloom.core.partitions import as_of, exists, first_moment, local_days, newest_ended, partition_to_run
from tests.worlds.zones import zones

KOLKATA, NEW_YORK, APIA = "Asia/Kolkata", "America/New_York", "Pacific/Apia"
SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(
    ("day", "zone", "ends"),
    [
        ("2024-04-25", "Africa/Cairo", "2024-04-25T22:00"),  # the clocks skip midnight
        ("2024-10-31", "Africa/Cairo", "2024-10-31T22:00"),  # they go back at midnight, to the same day
        ("2023-11-04", "America/Havana", "2023-11-05T04:00"),  # 00:00 comes twice, both on the next day
        ("2010-11-06", "America/St_Johns", "2010-11-07T03:30"),  # the day goes on after its first end
        ("2024-03-30", "America/Nuuk", "2024-03-31T01:00"),  # its last hour is skipped
        ("2018-05-04", "Asia/Pyongyang", "2018-05-04T15:00"),
        ("2011-12-29", APIA, "2011-12-30T10:00"),
        ("2011-12-30", APIA, "2011-12-30T10:00"),  # a day that never was ends when it begins
    ],
)
def test_a_day_ends_when_it_is_a_later_day_for_good(day, zone, ends):
    assert as_of(date.fromisoformat(day), zone) == datetime.fromisoformat(ends).replace(tzinfo=UTC)


def test_in_every_zone_a_day_ends_when_it_is_a_later_day_for_good():
    for name, days in zones().items():
        zone = ZoneInfo(name)
        for day in days:
            ends = as_of(day, name)
            assert (ends - SECOND).astimezone(zone).date() <= day, (name, day)
            hours = [(ends + timedelta(hours=hour)).astimezone(zone).date() for hour in range(30)]
            assert all(later > day for later in hours), (name, day)


@pytest.mark.parametrize(
    ("day", "at", "zone", "expected"),
    [
        ("2024-03-10", "02:30", NEW_YORK, "2024-03-10T07:00"),  # skipped: 03:00
        ("2024-03-10", "03:00", NEW_YORK, "2024-03-10T07:00"),
        ("2024-03-10", "01:59", NEW_YORK, "2024-03-10T06:59"),
        ("2024-11-03", "01:30", NEW_YORK, "2024-11-03T05:30"),  # twice: the first
        ("2024-10-06", "02:15", "Australia/Lord_Howe", "2024-10-05T15:30"),  # half an hour is skipped
        ("2011-12-30", "03:00", APIA, "2011-12-30T10:00"),
    ],
)
def test_a_skipped_local_time_is_the_first_moment_after_it(day, at, zone, expected):
    found = first_moment(date.fromisoformat(day), time.fromisoformat(at), zone)
    assert found == datetime.fromisoformat(expected).replace(tzinfo=UTC)


def test_only_zones_that_moved_across_the_date_line_lack_a_day():
    lacking = {name: [day for day in days if not exists(day, name)] for name, days in zones().items()}
    never = [date(2011, 12, 30)]
    assert {name: days for name, days in lacking.items() if days} == {APIA: never, "Pacific/Fakaofo": never}
    assert local_days(date(2011, 12, 29), date(2011, 12, 31), APIA) == [date(2011, 12, 29), date(2011, 12, 31)]


@pytest.mark.parametrize(
    ("moment", "newest"),
    [("2024-01-06T04:59:59", "2024-01-04"), ("2024-01-06T05:00", "2024-01-05"), ("2024-01-06T23:00", "2024-01-05")],
)
def test_a_day_may_run_from_its_end_on(now, moment, newest):
    now(moment)
    assert newest_ended(NEW_YORK) == date.fromisoformat(newest)
    assert partition_to_run(newest, NEW_YORK) == date.fromisoformat(newest)
    tomorrow = date.fromisoformat(newest) + timedelta(days=1)
    with pytest.raises(UsageError) as refused:
        partition_to_run(tomorrow.isoformat(), NEW_YORK)
    assert refused.value.what == f"{tomorrow} has not ended in {NEW_YORK}."
    assert f"it ends at {as_of(tomorrow, NEW_YORK):%Y-%m-%d %H:%M} UTC" in refused.value.found
    assert newest in refused.value.do


@pytest.mark.parametrize("day", ["2042-01-02", "9998-12-31", "9999-12-30"])
def test_a_day_that_lies_far_ahead_is_refused(day):
    with pytest.raises(UsageError, match="has not ended in Pacific/Kiritimati"):
        partition_to_run(day, "Pacific/Kiritimati")


@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31"])
def test_the_ends_of_the_calendar_are_no_partitions(day):
    with pytest.raises(UsageError, match="not a partition"):
        partition_to_run(day, NEW_YORK)


def test_a_day_that_the_zone_never_had_is_not_due():
    with pytest.raises(NotDue, match="Pacific/Apia never had 2011-12-30"):
        partition_to_run("2011-12-30", APIA)


def test_the_start_of_a_day_in_utc_is_that_day():
    assert partition_to_run("2024-01-05T00:00:00+00:00", KOLKATA) == date(2024, 1, 5)
    assert partition_to_run("2024-01-05T05:30:00+05:30", KOLKATA) == date(2024, 1, 5)


@pytest.mark.parametrize(
    ("logical_date", "zone", "days"),
    [
        ("2024-01-05T00:00+05:30", KOLKATA, ("2024-01-04", "2024-01-05")),
        ("2024-01-05T20:00-05:00", NEW_YORK, ("2024-01-05", "2024-01-06")),
        ("2024-01-05T05:00:00+00:00", NEW_YORK, ("2024-01-04", "2024-01-05")),
        ("2024-01-05T00:00:00.000001+00:00", "UTC", ("2024-01-04", "2024-01-05")),
        ("2024-01-05T12:00", "Pacific/Kiritimati", ("2024-01-05", "2024-01-06")),
        # As it was typed, whatever the pipeline's zone.
        ("2024-01-05T00:00+05:30", NEW_YORK, ("2024-01-04", "2024-01-05")),
        ("2024-01-05T20:00-05:00", "UTC", ("2024-01-05", "2024-01-06")),
        # The same two, as Airflow keeps them.
        ("2024-01-04T18:30:00+00:00", "UTC", ("2024-01-04", "2024-01-05")),
        ("2024-01-06T01:00:00+00:00", "UTC", ("2024-01-05", "2024-01-06")),
    ],
)
def test_another_moment_is_refused_with_both_days_that_it_could_mean(logical_date, zone, days):
    with pytest.raises(UsageError, match=r"start of a day, 00:00 in UTC") as refused:
        partition_to_run(logical_date, zone)
    first, second = days
    assert refused.value.found.endswith(f"which could mean {first} or {second}")
    assert refused.value.do == f"type {first}T00:00:00+00:00 for {first}, or {second}T00:00:00+00:00 for {second}"


def test_now_is_refused_with_the_day_that_has_ended(now):
    now("2024-01-06T14:05:06.789")
    with pytest.raises(UsageError) as refused:
        partition_to_run("2024-01-06T14:05:06.789+00:00", NEW_YORK)
    assert refused.value.found.endswith("2024-01-05 or 2024-01-06; not ended in America/New_York: 2024-01-06")
    assert refused.value.do == "type 2024-01-05T00:00:00+00:00 for 2024-01-05"
    now("2024-01-06T01:07")
    with pytest.raises(UsageError) as refused:
        partition_to_run("2024-01-06T01:07:00+00:00", NEW_YORK)
    assert refused.value.found.endswith(
        "2024-01-05 or 2024-01-06; not ended in America/New_York: 2024-01-05, 2024-01-06"
    )
    assert refused.value.do == "type 2024-01-04T00:00:00+00:00 for 2024-01-04"


@pytest.mark.parametrize(
    "text", ["2024-01-05T", "T00:00", "2024-01-05T25:00", "todayT", "9999-12-31T00:00Z", "0001-01-01T05:00Z"]
)
def test_what_is_no_moment_is_no_partition(text):
    with pytest.raises(UsageError, match="not a partition"):
        partition_to_run(text, NEW_YORK)
