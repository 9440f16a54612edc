from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pandas as pd
import pytest

from airloom.core.errors import DataError
from include.flight_delays import source

NEW_YORK = ZoneInfo("America/New_York")
SPRING, AUTUMN, STORM = date(2013, 3, 10), date(2013, 11, 3), date(2013, 2, 8)


@pytest.fixture(scope="module")
def year():
    """Every flight of the package, as its file has it."""
    return source._parse(source._flights_csv())


@pytest.fixture(scope="module")
def storm():
    return source.extract(STORM)


@pytest.mark.parametrize("day", [date(2012, 12, 31), date(2013, 12, 31)])
def test_a_day_outside_the_data_is_an_error_that_names_the_range(day):
    with pytest.raises(DataError) as caught:
        source.extract(day)
    assert caught.value.expected == "a day from 2013-01-01 to 2013-12-30"


@pytest.mark.parametrize("day", [source.FIRST, SPRING, AUTUMN, source.LAST])
def test_a_day_has_exactly_the_flights_that_the_file_has(year, day):
    expected = year[(year["month"] == day.month) & (year["day"] == day.day)]
    rows = source.extract(day)["flights"]
    assert list(rows["flight"]) == list(expected["flight"])
    assert list(rows["scheduled_at"].dt.floor("h")) == list(pd.to_datetime(expected["time_hour"], utc=True))


def test_flight_ids_are_unique_in_the_whole_year(year):
    assert len(year) == 336_776
    assert len(set(source._ids(year))) == len(year)
    assert source._ids(year)[0] == "2013-01-01/UA1545/EWR/0515"


@pytest.mark.parametrize("day", [SPRING, AUTUMN, STORM])
def test_an_outcome_is_known_only_after_the_scheduled_departure(day):
    rows = source.extract(day)["flights"]
    assert (rows["known_at"] > rows["scheduled_at"]).all()
    assert (rows["known_at"] - rows["scheduled_at"] < timedelta(days=1, hours=12)).all()


def test_a_flight_is_known_when_it_lands():
    rows = source.extract(date(2013, 1, 1))["flights"].set_index("flight_id")
    to_houston = rows.loc["2013-01-01/UA1545/EWR/0515"]
    assert to_houston["scheduled_at"] == datetime(2013, 1, 1, 10, 15, tzinfo=UTC)
    assert to_houston["known_at"] == datetime(2013, 1, 1, 14, 30, tzinfo=UTC), "8:19 in Houston and 11 minutes late"
    to_puerto_rico = rows.loc["2013-01-01/B6725/JFK/0545"]
    assert to_puerto_rico["known_at"] == datetime(2013, 1, 1, 14, 4, tzinfo=UTC), "10:22 there and 18 minutes early"


def test_a_landing_after_midnight_is_known_after_the_end_of_the_day(storm):
    end = datetime(2013, 2, 9, tzinfo=NEW_YORK)
    rows = source.extract(date(2013, 1, 1))["flights"]
    after = rows[rows["known_at"] >= datetime(2013, 1, 2, tzinfo=NEW_YORK)]
    assert 0 < len(after) < len(rows)
    assert (storm["flights"]["scheduled_at"] < end).all()


def test_cancelled_and_diverted_flights_have_no_label_and_are_known_at_their_scheduled_arrival(storm):
    rows = storm["flights"]
    assert rows["cancelled"].sum() == 472
    no_arrival = rows[rows["arr_delay"].isna()]
    assert no_arrival["late"].isna().all()
    assert (no_arrival["known_at"] > no_arrival["scheduled_at"]).all()
    landed = rows[rows["arr_delay"].notna()]
    assert list(landed["late"]) == list((landed["arr_delay"] >= 15).astype(float))


@pytest.mark.parametrize(
    ("departure", "hhmm", "zone", "expected"),
    [
        ("2013-03-10 01:30", 330, "America/New_York", "2013-03-10 07:30"),
        ("2013-03-10 01:30", 230, "America/New_York", "2013-03-10 07:30"),
        ("2013-11-03 00:30", 130, "America/New_York", "2013-11-03 05:30"),
        ("2013-11-03 01:45", 130, "America/New_York", "2013-11-03 06:30"),
        ("2013-07-01 22:41", 15, "America/New_York", "2013-07-02 04:15"),
        ("2013-07-01 22:00", 45, "America/Los_Angeles", "2013-07-02 07:45"),
        ("2013-07-01 10:00", 1445, "Pacific/Honolulu", "2013-07-02 00:45"),
        ("2013-07-01 23:00", 300, "America/Puerto_Rico", "2013-07-02 07:00"),
    ],
)
def test_an_arrival_is_the_first_such_local_time_after_the_departure(departure, hhmm, zone, expected):
    leaves = datetime.fromisoformat(departure).replace(tzinfo=NEW_YORK)
    arrives = source.scheduled_arrival(leaves, hhmm, ZoneInfo(zone))
    assert arrives == datetime.fromisoformat(expected).replace(tzinfo=UTC)


def test_days_with_a_clock_change_have_their_own_weather_and_hours(year):
    spring, autumn = source.extract(SPRING)["weather"], source.extract(AUTUMN)["weather"]
    assert spring.groupby("origin").size().max() == 23
    for day, rows in ((SPRING, spring), (AUTUMN, autumn)):
        assert not rows.duplicated(["origin", "observed_at"]).any()
        assert set(rows["observed_at"].dt.tz_convert(NEW_YORK).dt.date) == {day}


def test_the_schedule_is_that_of_the_next_day_and_known_at_the_end_of_this_one(storm):
    rows, tomorrow = storm["schedule"], source.extract(STORM + timedelta(days=1))["flights"]
    assert list(rows["flight_id"]) == list(tomorrow["flight_id"])
    assert set(rows["announced_at"]) == {pd.Timestamp(2013, 2, 9, tz=NEW_YORK)}
    assert (rows["scheduled_at"] >= rows["announced_at"]).all()
    assert not {"dep_delay", "arr_delay", "late", "cancelled", "known_at"} & set(rows.columns)


def test_the_weekday_is_that_of_the_local_departure(storm):
    assert set(storm["flights"]["weekday"]) == {STORM.weekday()}
    assert set(storm["schedule"]["weekday"]) == {STORM.weekday() + 1}
