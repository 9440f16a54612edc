"""The lake's types: from one day to the next no value becomes another one, whatever the types of both days."""

import contextlib
import datetime as dt
from datetime import date
from decimal import Decimal
from math import isnan

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from airloom.core.errors import DataError
from airloom.stores.content import NO_ROWS, content_version
from airloom.stores.lake import Lake, PartitionVersion
from airloom.stores.lake_types import fitted, lake_type

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
    "no value": pa.nulls(3),
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
    "list": pa.array([[1], [2]]),
}


def publish(lake, day, column):
    rows = pa.table({"id": list(range(len(column))), "value": column})
    lake.replace("raw.things", PartitionVersion(day, content_version(rows)), rows)


def stored(lake, day):
    return lake.dataset("raw.things", [day]).to_table(columns=["value"])["value"]


def values(column):
    """Values by which two columns of any types can be compared; NaN is not equal to itself."""
    return [str(value) if isinstance(value, float) and isnan(value) else value for value in column.to_pylist()]


@pytest.mark.parametrize("first", HELD)
def test_a_day_is_stored_as_it_was_or_refused_whatever_the_type_of_the_day_before(tmp_path, first):
    for number, (name, column) in enumerate(HELD.items()):
        table = Lake(tmp_path / str(number))
        publish(table, DAY, HELD[first])
        assert values(stored(table, DAY)) == values(HELD[first])
        with contextlib.suppress(DataError):
            publish(table, NEXT, column)
        if NEXT in table.partitions("raw.things"):
            assert values(stored(table, NEXT)) == values(column), f"{name} after {first}"
        assert values(stored(table, DAY)) == values(HELD[first])


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
    ],
)
def test_what_has_the_same_values_in_the_type_of_before_is_stored(tmp_path, first, second):
    lake = Lake(tmp_path)
    publish(lake, DAY, HELD[first])
    publish(lake, NEXT, HELD[second])
    assert values(stored(lake, NEXT)) == values(HELD[second])


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("int64", "doubles"),
        ("int64", "string"),
        ("int64", "bool"),
        ("int64", "date"),
        ("int64", "time"),
        ("int8", "int64"),
        ("doubles", "int64"),
        ("doubles", "string"),
        ("doubles", "decimal"),
        ("float32", "doubles"),
        ("bool", "small int64"),
        ("string", "small int64"),
        ("string", "date"),
        ("string", "bytes"),
        ("decimal", "wide decimal"),
        ("decimal", "whole doubles"),
        ("decimal", "small int64"),
        ("date", "time"),
        ("time", "time in UTC"),
        ("time in UTC", "int64"),
    ],
)
def test_what_would_become_another_value_is_refused_by_name_and_type(tmp_path, first, second):
    lake = Lake(tmp_path)
    publish(lake, DAY, HELD[first])
    with pytest.raises(DataError, match="some values would become others") as refused:
        publish(lake, NEXT, HELD[second])
    assert refused.value.where == "table raw.things, column value"
    assert refused.value.found == str(HELD[second].type)
    assert lake.partitions("raw.things").keys() == {DAY}


@given(st.lists(st.one_of(st.none(), st.floats(allow_nan=True), st.integers(-(2**70), 2**70).map(float)), min_size=1))
@hypothesis_settings(deadline=None)
def test_doubles_become_whole_numbers_only_where_each_is_one(numbers):
    rows, known = pa.table({"x": pa.array(numbers, pa.float64())}), pa.schema([("x", pa.int64())])
    present = [number for number in numbers if number is not None]
    exact = all(abs(number) < 2**53 and number.is_integer() for number in present)
    if exact:
        assert fitted(rows, known, "raw.things")["x"].to_pylist() == numbers
        return
    with contextlib.suppress(DataError):
        assert fitted(rows, known, "raw.things")["x"].to_pylist() == numbers


@pytest.mark.parametrize("name", REFUSED)
def test_a_type_that_the_lake_does_not_have_is_refused(tmp_path, name):
    with pytest.raises(DataError, match=r"cannot hold|become others|lists, maps"):
        publish(Lake(tmp_path), DAY, REFUSED[name])
    assert Lake(tmp_path).tables() == []


@pytest.mark.parametrize("name", sorted(HELD.keys() - {"no value", "decimal", "wide decimal", "time"}))
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
    with pytest.raises(DataError, match="types that the table has"):
        publish(lake, NEXT, HELD["decimal"])
    lake.replace("raw.things", PartitionVersion(NEXT, NO_ROWS), pa.table({}))
    with pytest.raises(DataError, match="without a time zone"):
        publish(lake, NEXT, HELD["time"])
    assert values(stored(lake, DAY)) == [None] * 3


def test_what_is_stored_keeps_its_type(tmp_path):
    for kind in {lake_type(column.type) for column in HELD.values()}:
        assert lake_type(kind) == kind


def test_what_pandas_notes_about_its_types_is_no_content(tmp_path):
    frame = pd.DataFrame({"id": [1, 2], "at": pd.to_datetime([NOON, NOON], utc=True).astype("datetime64[ns, UTC]")})
    frame["word"], frame["kind"] = frame["id"].astype("string"), pd.Categorical(["a", "b"])
    rows = pa.Table.from_pandas(frame, preserve_index=False)
    Lake(tmp_path).replace("raw.things", PartitionVersion(DAY, content_version(rows)), rows)
    assert list(Lake(tmp_path).read("raw.things", [DAY])["kind"]) == ["a", "b"]
