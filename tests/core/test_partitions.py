from datetime import UTC, date, datetime

import pytest

from airloom.core.errors import UsageError
from airloom.core.partitions import as_of, day_range, parse_partition, window


@pytest.mark.parametrize("text", ["", "yesterday", "2013-13-01", "2013-2-1", "20130201", "2013-02-30"])
def test_what_is_not_a_day_is_refused(text):
    with pytest.raises(UsageError, match="not a partition"):
        parse_partition(text)


def test_a_day_is_read():
    assert parse_partition("2013-02-10") == date(2013, 2, 10)


def test_the_as_of_is_the_end_of_the_local_day_in_utc():
    assert as_of(date(2013, 2, 10), "America/New_York") == datetime(2013, 2, 11, 5, tzinfo=UTC)


def test_the_as_of_follows_daylight_saving():
    assert as_of(date(2013, 3, 10), "America/New_York") == datetime(2013, 3, 11, 4, tzinfo=UTC)


def test_a_window_ends_with_its_last_day_and_never_begins_before_the_start():
    days = window(date(2013, 1, 3), 28, date(2013, 1, 1))
    assert days == [date(2013, 1, 1), date(2013, 1, 2), date(2013, 1, 3)]


def test_a_range_that_ends_before_it_begins_is_empty():
    assert day_range(date(2013, 1, 2), date(2013, 1, 1)) == []
