"""The lake's types: from one day to the next no value becomes another one, whatever the types of both days."""

import contextlib
import datetime as dt
from datetime import date
from decimal import Decimal
from math import isnan

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from airloom.core.errors import DataError
from airloom.stores.content import NO_ROWS, content_version
from airloom.stores.exact import exactly, nearest_doubles
from airloom.stores.lake import Lake, PartitionVersion
from airloom.stores.lake_types import held, lake_type, named_type, type_name
from airloom.stores.widening import NotTheSameType, fit, joined

DAY, NEXT = date(2013, 1, 1), date(2013, 1, 2)
NOON = dt.datetime(2013, 1, 1, 12)
#: Values of every type that the lake holds, three a column.
HELD = {
    "int64": pa.array([1, 2, 2**60 + 1]),
    "small int64": pa.array([1, None, 3]),
    "int32": pa.array([1, 2, 3], pa.int32()),
    "int8": pa.array([1, 2, -3], pa.int8()),
    "uint8": pa.array([1, 2, 200], pa.uint8()),
    "uint16": pa.array([1, 2, 60_000], pa.uint16()),
    "uint32": pa.array([1, 2, 2**32 - 1], pa.uint32()),
    "uint64": pa.array([1, 2, 2**63 - 1], pa.uint64()),
    "whole doubles": pa.array([1.0, None, 3.0]),
    "doubles": pa.array([0.1, float("nan"), float("inf")]),
    "float32": pa.array([0.5, 0.25, None], pa.float32()),
    "bool": pa.array([True, False, None]),
    "string": pa.array(["1", "2", None]),
    "large string": pa.array(["1", "2", None], pa.large_string()),
    "string view": pa.array(["1", "2", None], pa.string_view()),
    "category": pa.array(["1", "2", None]).dictionary_encode(),
    "bytes": pa.array([b"1", b"2", None]),
    "odd int64": pa.array([1, 2, 2**24 + 1]),
    "no value": pa.nulls(3),
    "text without a value": pa.nulls(3, pa.string()),
    "only NaN": pa.array([float("nan")] * 3),
    "only NaT": pa.nulls(3, pa.timestamp("ns", "UTC")),
    "decimal": pa.array([Decimal("1.25"), Decimal("2.50"), None]),
    "wide decimal": pa.array([Decimal("1.2500"), Decimal("2.5001"), None]),
    "date": pa.array([DAY, NEXT, None]),
    "time": pa.array([NOON, NOON, None], pa.timestamp("us")),
    "time in UTC": pa.array([NOON, NOON, None], pa.timestamp("us", "UTC")),
    "nanoseconds": pa.array([NOON, NOON, None], pa.timestamp("ns", "UTC")),
    "time in a zone": pa.array([NOON, NOON, None], pa.timestamp("ms", "Europe/Berlin")),
}
#: What a Delta table has no type for.
REFUSED = {
    "uint64 beyond int64": pa.array([2**63, 1], pa.uint64()),
    "float16": pa.array([0.5, 1.0], pa.float16()),
    "time of day": pa.array([dt.time(1), dt.time(2)]),
    "duration": pa.array([dt.timedelta(1), dt.timedelta(2)]),
    "wide decimal": pa.array([Decimal(10) ** 40, Decimal(1)], pa.decimal256(42, 0)),
    "time beyond the calendar": pa.array([2**55, 0], pa.timestamp("ms", "UTC")),
    "list": pa.array([[1], [2]]),
}


def publish(lake, day, column):
    rows = held(pa.table({"id": list(range(len(column))), "value": column}), "raw.things")
    lake.replace("raw.things", PartitionVersion(day, content_version(rows)), rows)


def stored(lake, day):
    return lake.dataset("raw.things", [day]).to_table(columns=["value"])["value"]


def values(column):
    """Values by which two columns of any types can be compared; NaN is a missing number."""
    return [None if isinstance(value, float) and isnan(value) else value for value in column.to_pylist()]


@pytest.mark.parametrize("first", HELD)
def test_a_day_is_stored_as_it_was_or_refused_whatever_the_type_of_the_day_before(first):
    """By the same function as a commit; what a commit stores is what it says, below and in test_lake.py."""
    one = held(pa.table({"value": HELD[first]}), "raw.things")
    for name, column in HELD.items():
        other = held(pa.table({"value": column}), "raw.things")
        with contextlib.suppress(NotTheSameType):
            table = fit(other, one.schema, one.__getitem__).schema.field("value").type
            for given in (one["value"], other["value"]):
                again = exactly(exactly(given, table), given.type)
                assert values(again) == values(given), f"{name} after {first}"
                assert content_version(pa.table({"x": again})) == content_version(pa.table({"x": given}))


def test_the_days_of_one_table_are_what_they_were_given_as_whatever_came_after(tmp_path):
    """Columns of every type, each without a value first, then with one, then as another type or a missing one."""
    lake, days = Lake(tmp_path), [DAY + dt.timedelta(days=number) for number in range(5)]
    names = [name for name in HELD if name != "time"]
    kinds = {name: held(pa.table({"x": HELD[name]}), "")["x"] for name in names}
    wider = {
        name: next((kinds[each] for each in names if widened(kinds[name], kinds[each])), kinds[name]) for name in names
    }
    nights = [
        {name: pa.nulls(3, kinds[name].type if number % 2 else pa.null()) for number, name in enumerate(names)},
        kinds,
        {name: wider[name] for name in names},
        {name: pa.nulls(3) for name in names},
        kinds,
    ]
    given = [pa.table({"id": [0, 1, 2], **night}) for night in nights]
    for day, rows in zip(days, given, strict=True):
        lake.replace("raw.things", PartitionVersion(day, content_version(rows)), rows)
    published = lake.partitions("raw.things")
    for day, rows in zip(days, given, strict=True):
        again = lake.as_published("raw.things", day)
        assert again.schema == rows.schema
        assert published[day].version == content_version(again) == content_version(rows)
    read = lake.dataset("raw.things", days).to_table()
    assert [name for name in names if read[name].type != lake.schema("raw.things").field(name).type] == []


def widened(one, other):
    wider = joined(one.type, other, lambda: one)
    return wider is not None and wider != one.type


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("int64", "whole doubles"),
        ("int64", "uint32"),
        ("int64", "int32"),
        ("int64", "no value"),
        ("no value", "doubles"),
        ("no value", "string"),
        ("doubles", "small int64"),
        ("doubles", "float32"),
        ("string", "category"),
        ("string", "large string"),
        ("wide decimal", "decimal"),
        ("time in UTC", "time in a zone"),
        ("decimal", "small int64"),
        ("doubles", "no value"),
    ],
)
def test_what_has_the_same_values_in_the_type_of_before_is_stored(tmp_path, first, second):
    lake = Lake(tmp_path)
    publish(lake, DAY, HELD[first])
    publish(lake, NEXT, HELD[second])
    assert values(stored(lake, NEXT)) == values(HELD[second])


@pytest.mark.parametrize(
    ("first", "second", "kind"),
    [
        ("int8", "int64", pa.int64()),
        ("int32", "uint32", pa.int64()),
        ("uint8", "uint16", pa.int32()),
        ("small int64", "doubles", pa.float64()),
        ("int32", "float32", pa.float64()),
        ("float32", "doubles", pa.float64()),
        ("float32", "int64", None),
        ("float32", "odd int64", pa.float64()),
        ("decimal", "wide decimal", pa.decimal128(5, 4)),
        ("decimal", "int64", pa.decimal128(21, 2)),
        ("small int64", "decimal", pa.decimal128(21, 2)),
        ("no value", "decimal", pa.decimal128(3, 2)),
        ("text without a value", "wide decimal", pa.decimal128(5, 4)),
        ("text without a value", "time in UTC", pa.timestamp("us", "UTC")),
        ("only NaN", "time in UTC", pa.timestamp("us", "UTC")),
        ("only NaN", "date", pa.date32()),
        ("only NaT", "bytes", pa.binary()),
        ("only NaN", "string", pa.string()),
        ("only NaT", "date", pa.date32()),
    ],
)
def test_a_column_widens_to_what_holds_both_days(tmp_path, first, second, kind):
    lake = Lake(tmp_path)
    publish(lake, DAY, HELD[first])
    before = lake.partitions("raw.things")
    if kind is None:
        with pytest.raises(DataError, match="some values would become others"):
            publish(lake, NEXT, HELD[second])
        return
    publish(lake, NEXT, HELD[second])
    assert stored(lake, NEXT).type == stored(lake, DAY).type == kind
    assert values(stored(lake, NEXT)) == values(HELD[second])
    assert lake.partitions("raw.things")[DAY] == before[DAY], "widening changes no version"
    assert content_version(lake.as_published("raw.things", DAY)) == before[DAY].version


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("int64", "doubles"),
        ("int64", "string"),
        ("int64", "bool"),
        ("int64", "date"),
        ("int64", "time"),
        ("doubles", "int64"),
        ("doubles", "string"),
        ("doubles", "decimal"),
        ("bool", "small int64"),
        ("string", "small int64"),
        ("string", "date"),
        ("string", "bytes"),
        ("decimal", "whole doubles"),
        ("date", "time"),
        ("time", "time in UTC"),
        ("time in UTC", "int64"),
    ],
)
def test_a_real_change_is_refused_by_name_with_both_days_and_types(tmp_path, first, second):
    lake = Lake(tmp_path)
    publish(lake, DAY, HELD[first])
    with pytest.raises(DataError, match="some values would become others") as refused:
        publish(lake, NEXT, HELD[second])
    assert refused.value.where == "table raw.things, column value"
    assert refused.value.found == f"{lake_type(HELD[second].type)}, on 2013-01-02"
    assert refused.value.expected == f"{lake_type(HELD[first].type)}, as on 2013-01-01"
    assert lake.partitions("raw.things").keys() == {DAY}


def test_the_only_day_of_a_table_may_be_published_again_as_anything(tmp_path):
    lake = Lake(tmp_path)
    publish(lake, DAY, HELD["string"])
    publish(lake, DAY, HELD["doubles"])
    assert values(stored(lake, DAY)) == values(HELD["doubles"])


@pytest.mark.parametrize("name", sorted(HELD.keys() - {"time"}))
def test_text_that_has_lost_its_values_takes_any_type_as_earlier_versions_had_text_for_no_value(tmp_path, name):
    lake = Lake(tmp_path)
    publish(lake, DAY, HELD["string"])
    publish(lake, DAY, HELD["text without a value"])
    publish(lake, NEXT, HELD[name])
    assert values(stored(lake, NEXT)) == values(HELD[name])
    assert values(stored(lake, DAY)) == [None] * 3


def test_columns_come_and_go_and_no_version_changes(tmp_path, caplog):
    lake = Lake(tmp_path)
    days = [DAY + dt.timedelta(days=number) for number in range(4)]
    rows = [
        pa.table({"id": [1, 2], "old": ["a", "b"], "x": pa.array([1, 2], pa.int32())}),
        pa.table({"id": [1, 2], "new": [0.5, None], "x": pa.array([1, 2], pa.int8())}),
        pa.table({}),
        pa.table({"new": [0.5, 1.5], "x": [2**40, 1], "id": [1, 2]}),
    ]
    with caplog.at_level("INFO"):
        for day, each in zip(days, rows, strict=True):
            lake.replace("raw.things", PartitionVersion(day, content_version(each)), each)
    assert "raw.things, column x: int32 to int64, with 2013-01-04" in caplog.text
    for day, each in zip(days, rows, strict=True):
        if each.num_rows:
            assert lake.as_published("raw.things", day).equals(each)
    read = lake.read("raw.things", days)
    assert list(read) == ["id", "old", "x", "new"]
    assert read["old"].notna().sum() == 2
    assert not lake.replace("raw.things", PartitionVersion(DAY, content_version(rows[0])), rows[0]), "nothing is new"


def test_a_new_column_that_sql_could_not_tell_from_another_is_refused(tmp_path):
    lake = Lake(tmp_path)
    publish(lake, DAY, HELD["int64"])
    rows = pa.table({"id": [1], "Value": [1]})
    with pytest.raises(DataError, match="in capitals only"):
        lake.replace("raw.things", PartitionVersion(NEXT, content_version(rows)), rows)


@given(st.lists(st.one_of(st.none(), st.floats(allow_nan=True), st.integers(-(2**70), 2**70).map(float)), min_size=1))
@hypothesis_settings(deadline=None)
def test_doubles_become_whole_numbers_only_where_each_is_one(numbers):
    column = pa.chunked_array([pa.array(numbers, pa.float64())])
    whole = exactly(column, pa.int64())
    present = [number for number in numbers if number is not None and not isnan(number)]
    if all(abs(number) < 2**53 and number.is_integer() and str(number) != "-0.0" for number in present):
        assert [number for number in whole.to_pylist() if number is not None] == present
    elif whole is not None:
        assert [str(float(number)) for number in whole.to_pylist() if number is not None] == list(map(str, present))


@given(st.lists(st.one_of(st.none(), st.decimals(places=2, allow_nan=False, allow_infinity=False)), min_size=1))
@example([Decimal("12345678901234567.89")])
def test_decimals_become_the_doubles_that_are_nearest_to_them(numbers):
    fitting = [None if number is None or abs(number) >= 10**36 else number for number in numbers]
    doubles = nearest_doubles(pa.chunked_array([pa.array(fitting, pa.decimal128(38, 2))]))
    assert doubles.to_pylist() == [None if number is None else float(str(number)) for number in fitting]


@pytest.mark.parametrize("name", REFUSED)
def test_a_type_that_the_lake_does_not_have_is_refused(tmp_path, name):
    with pytest.raises(DataError, match=r"cannot hold|become others|lists, maps"):
        publish(Lake(tmp_path), DAY, REFUSED[name])
    assert Lake(tmp_path).tables() == []


@pytest.mark.parametrize("name", sorted(HELD.keys() - {"no value", "time"}))
def test_a_column_without_a_value_gets_its_type_with_the_first_also_over_a_day_without_rows(tmp_path, name):
    lake = Lake(tmp_path)
    publish(lake, DAY, HELD["no value"])
    lake.replace("raw.things", PartitionVersion(NEXT, NO_ROWS), pa.table({}))
    publish(lake, NEXT, HELD[name])
    assert values(stored(lake, NEXT)) == values(HELD[name])
    assert values(stored(lake, DAY)) == [None] * 3


def test_what_would_make_the_table_unreadable_is_refused(tmp_path):
    lake = Lake(tmp_path)
    publish(lake, DAY, HELD["no value"])
    lake.replace("raw.things", PartitionVersion(NEXT, NO_ROWS), pa.table({}))
    with pytest.raises(DataError, match="without a time zone"):
        publish(lake, NEXT, HELD["time"])
    assert values(stored(lake, DAY)) == [None] * 3


def test_what_is_stored_keeps_its_type(tmp_path):
    for kind in {lake_type(column.type) for column in HELD.values()}:
        assert lake_type(kind) == kind
        assert named_type(type_name(kind)) == kind


@pytest.mark.other_content
def test_what_pandas_notes_about_its_types_is_no_content(tmp_path):
    frame = pd.DataFrame({"id": [1, 2], "at": pd.to_datetime([NOON, NOON], utc=True).astype("datetime64[ns, UTC]")})
    frame["word"], frame["kind"] = frame["id"].astype("string"), pd.Categorical(["a", "b"])
    rows = pa.Table.from_pandas(frame, preserve_index=False)
    Lake(tmp_path).replace("raw.things", PartitionVersion(DAY, content_version(rows)), rows)
    assert list(Lake(tmp_path).read("raw.things", [DAY])["kind"]) == ["a", "b"]
