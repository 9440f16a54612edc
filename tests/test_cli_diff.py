"""How differences read."""

from datetime import date

import pytest

from airloom.cli.diff_rows import Row, ranges, rows_of, shown
from airloom.core.difference import Change, Topic, compared


def day(number):
    return date(2013, 2, number)


def test_days_in_a_row_are_a_range():
    assert ranges([day(10), day(1), day(2), day(3)]) == "2013-02-01 to 2013-02-03, 2013-02-10"


@pytest.mark.parametrize(
    ("value", "expected"),
    [(None, "-"), (True, "yes"), (12345, "12,345"), (0.25, "0.2500"), ("a" * 40, "a" * 12), ("word", "word")],
)
def test_values_read_as_people_write_them(value, expected):
    assert shown(value) == expected


def test_numbers_are_told_with_their_difference_and_others_as_added_or_removed():
    found = compared(
        "rows", {"n": 1000, "rate": 0.5, "gone": "x", "kind": "a"}, {"n": 2500, "rate": 0.25, "new": "y", "kind": "b"}
    )
    assert [(row.name, row.change) for row in rows_of(found)] == [
        ("n", "+1,500"),
        ("rate", "-0.2500"),
        ("gone", "removed"),
        ("kind", ""),
        ("new", "added"),
    ]


def test_what_is_the_same_of_several_tables_is_one_row():
    changes = [Change(name=table, old=old, new=new, day=at) for table in "ab" for at, old, new in moved()]
    changes += [Change(name=f"{table}, commit", old=1, new=2) for table in "ab"]
    assert rows_of(Topic(name="lake", changes=tuple(changes))) == [
        Row("a and 1 other, commit", "1", "2", "+1"),
        Row("a and 1 other, days", "2013-02-01", "2013-02-04 to 2013-02-05", "only in one"),
        Row("a and 1 other, content", "v", "w", "other content: 2013-02-02"),
    ]


def moved():
    return [(day(1), "v", None), (day(2), "v", "w"), (day(4), None, "w"), (day(5), None, "w")]


def test_columns_that_have_hardly_shifted_are_counted():
    changes = tuple(Change(name=f"c{number}", old=0.0, new=0.2 - number / 100) for number in range(12))
    rows = rows_of(Topic(name="importance", changes=changes))
    assert len(rows) == 11
    assert rows[-1] == Row("2 other columns", "", "", "none above 0.1000")
