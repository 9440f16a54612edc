from datetime import UTC, datetime, timedelta

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airloom.core.errors import DataError
from airloom.stores.point_in_time import Features, event_times, join_engine, join_features, newest_rows

NOON = datetime(2024, 3, 1, 12, tzinfo=UTC)
INSTANT = pa.timestamp("us", "UTC")


@pytest.fixture(scope="module")
def engine():
    with join_engine() as engine:
        yield engine


def hours(count):
    return NOON + timedelta(hours=count)


def entity_rows(rows):
    return pa.table(
        {
            "a": pa.array([a for a, _, _ in rows], pa.string()),
            "b": pa.array([b for _, b, _ in rows], pa.int64()),
            "event_timestamp": pa.array([None if at is None else hours(at) for _, _, at in rows], INSTANT),
        }
    )


def feature_rows(rows):
    return pa.table(
        {
            "a": pa.array([row[0] for row in rows], pa.string()),
            "b": pa.array([row[1] for row in rows], pa.int64()),
            "as_of": pa.array([hours(row[2]) for row in rows], INSTANT),
            "known_at": pa.array([hours(row[3]) for row in rows], INSTANT),
            "value": pa.array([row[4] for row in rows], pa.float64()),
        }
    )


def view_of(rows, ttl=None):
    return Features(
        view="view",
        rows=feature_rows(rows),
        keys={"a": "a", "b": "b"},
        names={"value": "value"},
        types={"value": "DOUBLE"},
        as_of="as_of",
        known_at="known_at",
        ttl=ttl,
    )


def joined(engine, entities, features, ttl=None):
    table = entity_rows(entities)
    return join_features(engine, table, event_times(table), view_of(features, ttl)).column("value").to_pylist()


def reference(entities, features, ttl=None):
    """The same, by the definition, in plain pandas."""
    known = feature_rows(features).to_pandas()
    values = []
    for row in entity_rows(entities).to_pandas().itertuples():
        usable = known[
            (known["a"] == row.a)
            & (known["b"] == row.b)
            & (known["as_of"] <= row.event_timestamp)
            & (known["known_at"] <= row.event_timestamp)
        ]
        if ttl is not None:
            usable = usable[usable["as_of"] >= row.event_timestamp - ttl]
        newest = usable.sort_values(["as_of", "known_at"]).tail(1)["value"]
        values.append(None if newest.empty or newest.isna().item() else newest.item())
    return values


names = st.sampled_from(["x", "y", None])
numbers = st.sampled_from([1, 2, None])
clock = st.integers(0, 12)
entity_lists = st.lists(st.tuples(names, numbers, st.one_of(clock, st.none())), min_size=1, max_size=12)
feature_lists = st.lists(
    st.tuples(names, numbers, clock, clock, st.one_of(st.none(), st.integers(-9, 9).map(float))),
    max_size=25,
    # Two rows of an entity with the same times would make every answer right.
    unique_by=lambda row: row[:4],
)
ttls = st.one_of(st.none(), st.integers(1, 6).map(lambda count: timedelta(hours=count)))


@settings(max_examples=60, deadline=None)
@given(entity_lists, feature_lists, ttls)
def test_the_join_answers_as_its_definition_does(engine, entities, features, ttl):
    assert joined(engine, entities, features, ttl) == reference(entities, features, ttl)


@settings(max_examples=25, deadline=None)
@given(entity_lists, feature_lists, ttls, st.randoms())
def test_neither_order_nor_the_future_changes_an_answer(engine, entities, features, ttl, random):
    last = max((at for _, _, at in entities if at is not None), default=0)
    future = [(a, b, last + 1, 0, 99.0) for a, b, *_ in entities] + [(a, b, 0, last + 1, 99.0) for a, b, *_ in entities]
    shuffled = [*features, *future]
    random.shuffle(shuffled)
    assert joined(engine, entities, shuffled, ttl) == joined(engine, entities, features, ttl)


def test_rows_that_agree_in_everything_but_the_value_are_answered_the_same_in_any_order(engine):
    rows = [("x", 1, 0, 0, 2.0), ("x", 1, 0, 0, 1.0)]
    assert joined(engine, [("x", 1, 5)], rows) == joined(engine, [("x", 1, 5)], rows[::-1])


def test_repeated_rows_all_stay(engine):
    entities = [("x", 1, 3)] * 5 + [("nobody", 1, 3)]
    assert joined(engine, entities, [("x", 1, 0, 0, 7.0)]) == [7.0] * 5 + [None]


def test_a_feature_exactly_as_old_as_its_ttl_still_counts(engine):
    ttl = timedelta(hours=2)
    assert joined(engine, [("x", 1, 2), ("x", 1, 3)], [("x", 1, 0, 0, 7.0)], ttl) == [7.0, None]


def test_a_moment_without_time_zone_is_refused():
    table = pa.table({"event_timestamp": pa.array([datetime(2024, 3, 1)], pa.timestamp("us"))})
    with pytest.raises(DataError, match="time zone"):
        event_times(table)


def test_a_moment_in_another_zone_is_the_same_moment(engine):
    local = pd.DataFrame(
        {"a": ["x"], "b": [1], "event_timestamp": pd.to_datetime(["2024-03-01 08:00"]).tz_localize("America/New_York")}
    )
    table = pa.Table.from_pandas(local)
    features = view_of([("x", 1, 1, 1, 7.0), ("x", 1, 2, 2, 8.0)])
    assert join_features(engine, table, event_times(table), features).column("value").to_pylist() == [7.0]


def test_a_key_of_another_type_is_refused(engine):
    table = entity_rows([("x", 1, 0)])
    table = table.set_column(1, "b", pa.array(["1"]))
    with pytest.raises(DataError) as refused:
        join_features(engine, table, event_times(table), view_of([]))
    assert (refused.value.where, refused.value.found) == ("feature view view, column b", "string")


def test_a_key_beyond_the_features_keys_is_refused_without_its_value(engine):
    table = entity_rows([("x", 1, 0)])
    table = table.set_column(1, "b", pa.array([2**63], pa.uint64()))
    with pytest.raises(DataError, match="beyond what") as refused:
        join_features(engine, table, event_times(table), view_of([]))
    assert (refused.value.where, refused.value.expected) == ("feature view view, column b", "int64")
    assert str(2**63) not in str(refused.value)


def test_a_feature_named_like_a_column_of_the_rows_is_refused(engine):
    table = entity_rows([("x", 1, 0)]).append_column("value", pa.array([0.0]))
    with pytest.raises(DataError, match="has the name"):
        join_features(engine, table, event_times(table), view_of([]))


def test_the_newest_row_of_each_entity_is_found_in_any_order():
    rows = feature_rows([("x", 1, 0, 0, 1.0), ("x", 1, 2, 2, 2.0), ("x", 1, 2, 1, 3.0), ("y", 1, 0, 0, 4.0)])
    for order in ([0, 1, 2, 3], [3, 2, 1, 0]):
        newest = newest_rows(rows.take(order), ["a", "b"], ["as_of", "known_at"])
        assert sorted(newest.column("value").to_pylist()) == [2.0, 4.0]
