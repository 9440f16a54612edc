"""Two nights of ingest and features in which every column has a type, misses values, or changes its type."""

import contextlib
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from feast import Entity, Field, ValueType
from feast.types import Bool, Float32, Float64, Int64, String, UnixTimestamp
from hypothesis import given
from hypothesis import strategies as st

from airloom.core.errors import DataError
from airloom.core.partitions import as_of
from airloom.steps.compute import compute
from airloom.steps.extract import extract
from airloom.steps.materialize import materialize
from airloom.steps.publish import publish
from airloom.steps.validate import validate
from airloom.stores.content import content_version
from airloom.stores.exact import exactly
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
    """Both nights of a column: every type with every way to miss values, beside itself and a type that it meets."""
    nights = [(name, night(values)) for name, values in TYPES.items() for night in list(NIGHTS.values())[1:3]]
    met = {name: [other for other in TYPES if other != name and fits(TYPES[name], TYPES[other])] for name in TYPES}
    chosen = []
    for number, (name, first) in enumerate(nights):
        others = [name, *(met[name][(number + step) % len(met[name])] for step in range(1) if met[name])]
        ways = [list(NIGHTS.values())[(number + step) % len(NIGHTS)] for step in range(len(others))]
        chosen += [(first, way(TYPES[other])) for other, way in zip(others, ways, strict=True)]
    empty = [night(values) for values in TYPES.values() for night in (NIGHTS["none"], NIGHTS["nothing"])]
    return chosen + [(first, TYPES[list(TYPES)[number % len(TYPES)]]) for number, first in enumerate(empty)]


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


WAYS = [(name, way) for name in TYPES for way in NIGHTS]


@given(st.sampled_from(WAYS), st.sampled_from(WAYS))
def test_every_pair_of_types_is_kept_as_it_was_or_refused(first, second):
    """In memory, what the lake does with two days: see below for the lake itself."""
    one, other = (arrow(NIGHTS[way](TYPES[name])) for name, way in (first, second))
    with contextlib.suppress(NotTheSameType):
        kind = fit(other, one.schema, one.__getitem__).schema.field("x").type
        for day in (one, other):
            again = pa.table({"x": exactly(exactly(day["x"], kind), day["x"].type)})
            assert content_version(again) == content_version(day)
    if first[0] == second[0]:
        assert fits(NIGHTS[first[1]](TYPES[first[0]]), NIGHTS[second[1]](TYPES[first[0]]))


def test_each_day_is_read_again_as_what_it_was_whatever_the_other_one_is(settings, monkeypatch):
    pipeline, every = toy.trips_pipeline(), columns()
    for night, day in enumerate((toy.DAY, NEXT)):
        extra = pd.DataFrame({f"c{number}": nights[night] for number, nights in enumerate(every)})
        ingest(settings, pipeline, day, pd.concat([trips(), extra], axis=1), monkeypatch)
    lake = Lake(settings.lake / "toy")
    for table in lake.tables():
        for day, published in lake.partitions(table).items():
            assert content_version(lake.as_published(table, day)) == published.version
    assert lake.dataset("raw.trips", [toy.DAY, NEXT]).to_table().num_rows == 2 * TRIPS


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


#: A feature's Feast type, and what its SQL gives on two nights.
FEATURES = {
    "short": (Float32, "0.1", "null"),
    "long": (Float64, "0.1::DOUBLE", "count(*)"),
    "counted": (Int64, "count(*)", "sum(minutes::DOUBLE)"),
    "large": (Int64, "9007199254740993", "null"),
    "any": (Bool, "count(*)", "null"),
    "word": (String, "'a'", "null"),
    "moment": (UnixTimestamp, "max(started_at) + INTERVAL 123456 MICROSECOND", "null"),
}


@pytest.fixture
def featured(settings):
    """The pipeline with a view of every type that a feature may have, registered; and a query that it runs."""
    trip = Entity(name="trip", join_keys=["trip_id"], value_type=ValueType.STRING)
    schema = [Field(name=name, dtype=kind) for name, (kind, *_) in FEATURES.items()]
    pipeline = toy.trips_pipeline()
    apply_features(pipeline, settings, [trip, lake_view("v", [trip], timedelta(days=5), schema)])
    return pipeline


def query(settings, expressions):
    listed = ", ".join(f"{expression} as {name}" for name, expression in expressions.items())
    (settings.include / "toy" / "v.sql").write_text(f"select trip_id, {listed} from trips group by trip_id")


def features_of(pipeline, settings, day):
    """What Feast answers for the day's first trip, offline and online."""
    store, names = open_feature_store(pipeline, settings), [f"v:{name}" for name in FEATURES]
    rows = pd.DataFrame({"trip_id": ["2013-02-10/000"], "event_timestamp": [pd.Timestamp(as_of(day, "UTC"))]})
    offline = store.get_historical_features(rows, names).to_df()[list(FEATURES)]
    online = store.get_online_features(names, [{"trip_id": "2013-02-10/000"}]).to_df()[list(FEATURES)]
    return offline.iloc[0].to_dict(), online.iloc[0].to_dict()


def test_offline_and_online_hold_the_same_value_of_the_declared_type(settings, featured, monkeypatch, new_online):
    settings = replace(settings, online_url=new_online())
    for number, day in enumerate((toy.DAY, NEXT)):
        query(settings, {name: nights[number] for name, (_, *nights) in FEATURES.items()})
        ingest(settings, featured, day, trips(), monkeypatch)
        computed = compute(featured, day, settings)
        materialize(featured, day, settings, computed.healed)
        offline, online = features_of(featured, settings, day)
        for name in FEATURES:
            assert (pd.isna(offline[name]) and pd.isna(online[name])) or offline[name] == online[name], name
        if day == toy.DAY:
            assert (offline["large"], offline["short"]) == (2**53 + 1, np.float32(0.1))
    lake = Lake(settings.lake / "toy")
    kinds = {name: str(kind) for name, kind in lake.own_types("features.v")[NEXT].items() if name in FEATURES}
    assert list(kinds.values()) == ["float32", "float64", "int64", "int64", "bool", "text", "timestamp"]
    for day, published in lake.partitions("features.v").items():
        assert content_version(lake.as_published("features.v", day)) == published.version


@pytest.mark.parametrize(
    ("feature", "expression"),
    [
        ("short", "1e300::DOUBLE"),
        ("counted", "0.5::DOUBLE"),
        ("any", "count(*) + 1"),
        ("word", "count(*)"),
        ("moment", "count(*)"),
        ("long", "9007199254740993"),
        ("counted", "170141183460469231731687303715884105727::HUGEINT"),
    ],
)
def test_a_value_that_does_not_fit_is_an_error_of_compute_without_the_value(
    settings, featured, monkeypatch, feature, expression
):
    query(settings, {name: first for name, (_, first, _) in FEATURES.items()} | {feature: expression})
    ingest(settings, featured, toy.DAY, trips(), monkeypatch)
    with pytest.raises(DataError) as refused:
        compute(featured, toy.DAY, settings)
    assert refused.value.where == f"include/toy/v.sql, column {feature}"
    assert not any(value in str(refused.value) for value in ("1e+300", "0.5", "9007199254740993", "1701411834"))
    assert not Lake(settings.lake / "toy").partitions("features.v")


def test_keys_pass_through_no_float_and_a_missing_one_has_no_features(settings, monkeypatch):
    first, second = 2**53 + 1, 2**53
    rider = Entity(name="rider", join_keys=["rider"], value_type=ValueType.INT64)
    pipeline = toy.trips_pipeline()
    view = lake_view("v", [rider], timedelta(days=5), [Field(name="last", dtype=Int64)])
    apply_features(pipeline, settings, [rider, view])
    (settings.include / "toy" / "v.sql").write_text("select rider, max(rider) as last from trips group by rider")
    riders = pd.Series([first, second, None, 1], dtype="Int64")
    ingest(settings, pipeline, toy.DAY, trips(rider=riders), monkeypatch)
    compute(pipeline, toy.DAY, settings)
    read = Lake(settings.lake / "toy").read("raw.trips", [toy.DAY], whole=["rider"])
    assert read["rider"].tolist() == riders.tolist()
    store, moment = open_feature_store(pipeline, settings), pd.Timestamp(as_of(toy.DAY, "UTC"))
    for keys, found in ((riders, [first, second, None, 1]), (pd.Series([1.0, None]), [1, None])):
        rows = pd.DataFrame({"rider": keys, "event_timestamp": moment})
        joined = store.get_historical_features(rows, ["v:last"]).to_df()
        assert [None if pd.isna(value) else int(value) for value in joined["last"]] == found
    with pytest.raises(DataError, match="beyond what the features' keys can be"):
        store.get_historical_features(pd.DataFrame({"rider": [0.5], "event_timestamp": moment}), ["v:last"]).to_df()
