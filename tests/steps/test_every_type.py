"""Two nights of ingest and features in which every column has a type, misses values, or changes its type."""

import itertools
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from feast import Entity, Field, ValueType
from feast.types import Bool, Float32, Float64, Int64, String, UnixTimestamp

from airloom.core.errors import DataError
from airloom.core.partitions import as_of
from airloom.steps.compute import compute
from airloom.steps.extract import extract
from airloom.steps.materialize import materialize
from airloom.steps.publish import publish
from airloom.steps.validate import validate
from airloom.stores.content import content_version
from airloom.stores.features import apply_features, open_feature_store
from airloom.stores.lake import Lake
from airloom.stores.lake_types import held
from airloom.stores.source import lake_view
from airloom.stores.widening import NotTheSameType, fit
from tests.worlds import trips as toy

pytestmark = pytest.mark.filterwarnings("ignore:module 'sre_:DeprecationWarning")

NOON = datetime(2013, 2, 10, 12, tzinfo=UTC)
NEXT = toy.DAY + timedelta(days=1)
TRIPS = 4
#: Four values of every type that a source may return.
TYPES = {
    **{f"int{bits}": pd.Series([1, 2, 3, 2**7 - 1], dtype=f"Int{bits}") for bits in (8, 16, 32, 64)},
    **{f"uint{bits}": pd.Series([1, 2, 3, 2**8 - 1], dtype=f"UInt{bits}") for bits in (8, 16, 32, 64)},
    "large": pd.Series([2**53 + 1, 1, 2, 3], dtype="Int64"),
    "float32": pd.Series([0.5, 0.25, 1.0, 2.0], dtype="float32"),
    "float64": pd.Series([0.1, 0.2, 1.0, 2.0]),
    "whole": pd.Series([1.0, 2.0, 3.0, 4.0]),
    "bool": pd.Series([True, False, True, True], dtype="boolean"),
    "text": pd.Series(["a", "b", "c", "d"]),
    "arrow text": pd.Series(["a", "b", "c", "d"], dtype="string[pyarrow]"),
    "category": pd.Series(["a", "b", "a", "b"], dtype="category"),
    "bytes": pd.Series([b"a", b"b", b"c", b"d"]),
    "decimal": pd.Series([Decimal("1.25"), Decimal("2.50"), Decimal("0.01"), Decimal(7)]),
    "fine decimal": pd.Series([Decimal("1.2500"), Decimal("2.5001"), Decimal(1), Decimal(2)]),
    "date": pd.Series([date(2013, 1, day) for day in (1, 2, 3, 4)]),
    "time": pd.Series([NOON + timedelta(seconds=number) for number in range(4)]),
    "seconds": pd.Series([NOON] * 4).astype("datetime64[s, UTC]"),
    "elsewhere": pd.Series([NOON] * 4).dt.tz_convert("Asia/Tokyo"),
}
NIGHTS = {
    "whole": lambda values: values,
    "some": lambda values: values.where(pd.Series([True, False, True, True])),
    "none": lambda values: values.where(pd.Series([False] * 4)),
    "nothing": lambda values: pd.Series([None] * 4, dtype=object),
}


def arrow(values: pd.Series) -> pa.Table:
    return held(pa.table({"x": pa.chunked_array([pa.Array.from_pandas(values)])}), "trips")


def fits(first: pd.Series, second: pd.Series) -> bool:
    one = arrow(first)
    try:
        fit(arrow(second), one.schema, one.__getitem__)
    except NotTheSameType:
        return False
    return True


def columns() -> list[tuple[pd.Series, pd.Series]]:
    """Both nights of a column, for every type beside every other one and every way to miss values."""
    nights = [night(values) for values in TYPES.values() for night in NIGHTS.values()]
    return [(one, other) for one, other in itertools.product(nights, nights) if fits(one, other)]


def trips(**more) -> pd.DataFrame:
    return toy.ordinary_day(toy.DAY)["trips"].head(TRIPS).assign(**more)


def ingest(settings, pipeline, day, rows, monkeypatch):
    with monkeypatch.context() as patch:
        toy.returning(patch, trips=rows)
        extract(pipeline, day, settings)
        return publish(pipeline, day, settings, [validate(pipeline, day, name, settings) for name in pipeline.tables])


@pytest.fixture
def settings(tmp_path):
    suite = "- {expectation: expect_column_to_exist, severity: critical, column: %s}\n"
    settings = toy.installation(tmp_path, suite % "trip_id", suite % "station")
    (settings.include / "toy" / "v.sql").write_text("select trip_id, 1 as one from trips")
    return settings


def test_each_day_is_read_again_as_what_it_was_whatever_the_other_one_is(settings, monkeypatch):
    pipeline, every = toy.trips_pipeline(), columns()
    for night, day in enumerate((toy.DAY, NEXT)):
        extra = pd.DataFrame({f"c{number}": nights[night] for number, nights in enumerate(every)})
        ingest(settings, pipeline, day, pd.concat([trips(), extra], axis=1), monkeypatch)
    lake = Lake(settings.lake / "toy")
    for table in lake.tables():
        for day, published in lake.partitions(table).items():
            assert content_version(lake.as_published(table, day)) == published.version
    stored = lake.dataset("raw.trips", [toy.DAY, NEXT]).to_table()
    assert len(every) > 1000
    assert stored.num_rows == 2 * TRIPS


@pytest.mark.parametrize("other", ["text", "float64", "decimal", "time", "bool", "large"])
def test_a_real_change_blocks_the_day_and_names_both_days_and_no_value(settings, monkeypatch, other):
    pipeline = toy.trips_pipeline()
    first = TYPES["date"] if other != "float64" else TYPES["large"]
    ingest(settings, pipeline, toy.DAY, trips(x=first), monkeypatch)
    with pytest.raises(DataError) as refused:
        ingest(settings, pipeline, NEXT, trips(x=TYPES[other]), monkeypatch)
    assert refused.value.where == "table raw.trips, column x"
    assert refused.value.found.endswith(f", on {NEXT}")
    assert refused.value.expected.endswith(f", as on {toy.DAY}")
    assert all(str(value) not in str(refused.value) for value in (2**53 + 1, "2.50", "0.1"))
