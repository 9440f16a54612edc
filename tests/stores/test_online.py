import copy
import sqlite3
from datetime import timedelta

import pandas as pd
import pytest
from feast import Field
from feast.feature_view import FeatureViewState
from feast.protos.feast.types.Value_pb2 import Value
from feast.types import String

from airloom.core.partitions import as_of
from airloom.stores.features import open_feature_store
from airloom.stores.lake import Lake
from tests.stores.online_windows import keys_of
from tests.worlds.feature_lake import (
    DAY,
    ZONE,
    drivers,
    legs,
    online,
    open_small,
    publish_view,
    small_pipeline,
    write_window,
)
from tests.worlds.installation import settings_at
from tests.worlds.processes import run_at_once

JANUARY, FEBRUARY = DAY - timedelta(days=31), DAY


@pytest.fixture
def settings(tmp_path, new_online):
    return settings_at(tmp_path, online_url=new_online())


@pytest.fixture
def store(settings):
    return open_small(settings)


def published(settings, store, day, rates):
    publish_view(settings, "driver", day, drivers(day, rates))
    write_window(store, day)


def pushed(store, day, rate):
    moment = pd.Timestamp(as_of(day, ZONE))
    row = {"driver_id": "ann", "rate": rate, "trips": 1, "home": None, "as_of": moment, "known_at": moment}
    store.write_to_online_store("driver", pd.DataFrame([row]))


def test_january_after_february_keeps_februarys_values(settings, store):
    published(settings, store, FEBRUARY, {"ann": 10.0})
    published(settings, store, JANUARY, {"ann": 1.0})
    assert online(store, ["ann"]) == [10.0]


def test_a_correction_of_the_same_day_wins(settings, store):
    published(settings, store, DAY, {"ann": 1.0})
    published(settings, store, DAY, {"ann": 2.0})
    assert online(store, ["ann"]) == [2.0]


def test_every_type_and_a_missing_value_can_be_read(settings, store):
    published(settings, store, DAY, {"ann": 0.5, "bob": None})
    assert online(store, ["bob", "ann", "nobody"], "driver:rate") == [None, 0.5, None]
    assert online(store, ["bob", "ann", "nobody"], "driver:trips") == [None, 5, None]
    assert online(store, ["bob", "ann"], "driver:home") == ["home of bob", "home of ann"]


def test_keys_of_several_parts_and_types_are_found(settings, store):
    publish_view(settings, "leg", DAY, legs(DAY, {("north", 1): 7.0, ("north", 2): 8.0}))
    write_window(store, DAY, view="leg")
    found = store.get_online_features(
        ["leg:minutes"], [{"start": "north", "end_zone": 2}, {"start": "south", "end_zone": 1}]
    ).to_dict()
    assert found["minutes"] == [8.0, None]


def test_more_keys_than_one_query_takes_are_read(settings, store):
    published(settings, store, DAY, {f"d{number}": float(number) for number in range(1203)})
    assert online(store, [f"d{number}" for number in range(1203)]) == [float(number) for number in range(1203)]


def test_days_in_any_order_end_the_same(settings, store, tmp_path, new_online):
    other = settings_at(tmp_path / "other", online_url=new_online())
    other_store = open_small(other)
    days = {DAY - timedelta(days=back): {"ann": 1.0 + back, f"d{back}": 2.0} for back in range(4)}
    for day, rates in days.items():
        published(settings, store, day, rates)
    for day, rates in reversed(days.items()):
        published(other, other_store, day, rates)
    assert stored(store, "ann", "d0", "d1", "d2", "d3") == stored(other_store, "ann", "d0", "d1", "d2", "d3")


def test_an_entity_that_a_correction_removed_gets_its_earlier_row_back(settings, store):
    published(settings, store, DAY - timedelta(days=1), {"ann": 1.0, "bob": 1.0})
    published(settings, store, DAY, {"ann": 2.0, "bob": 2.0, "eve": 2.0})
    published(settings, store, DAY, {"ann": 3.0})
    assert online(store, ["ann", "bob", "eve"]) == [3.0, 1.0, None]


def test_an_expired_feature_is_missing_as_it_is_offline(settings, store):
    published(settings, store, DAY - timedelta(days=6), {"ann": 1.0, "bob": 1.0})
    published(settings, store, DAY - timedelta(days=5), {"bob": 2.0})
    published(settings, store, DAY, {"eve": 3.0})
    assert online(store, ["ann", "bob", "eve"]) == [None, 2.0, 3.0]


def test_rows_written_before_a_feature_was_added_stay_readable(settings, store):
    published(settings, store, DAY, {"ann": 1.0})
    added = copy.copy(store.get_feature_view("driver"))
    added.features = [*added.features[:2], Field(name="address", dtype=String)]
    row = {"rate": Value(double_val=2.0), "address": Value(string_val="a street")}
    online_store = store.provider.online_store
    online_store.online_write_batch(store.config, added, [(*keys_of("bob"), row, as_of(DAY, ZONE), None)], None)
    before, after = (features for _, features in online_store.online_read(store.config, added, keys_of("ann", "bob")))
    assert (before["rate"].double_val, before["address"].WhichOneof("val")) == (1.0, None)
    assert (after["rate"].double_val, after["address"].string_val) == (2.0, "a street")


def test_rows_pushed_through_feast_are_guarded_too(store):
    for day, rate in ((FEBRUARY, 10.0), (JANUARY, 1.0)):
        pushed(store, day, rate)
        assert online(store, ["ann"]) == [10.0]
    pushed(store, FEBRUARY, 11.0)
    assert online(store, ["ann"]) == [11.0]


def test_pipelines_that_share_the_store_do_not_share_rows(settings, store):
    published(settings, store, DAY, {"ann": 1.0})
    view, another = store.get_feature_view("driver"), store.config.model_copy(update={"project": "another"})
    assert store.provider.online_store.online_read(another, view, keys_of("ann")) == [(None, None)]


def test_views_that_are_torn_down_are_forgotten_and_no_others(settings, store):
    published(settings, store, DAY, {"ann": 1.0})
    publish_view(settings, "leg", DAY, legs(DAY, {("north", 1): 7.0}))
    write_window(store, DAY, view="leg")
    view = store.get_feature_view("driver")
    store.provider.online_store.teardown(store.config, [view], [])
    assert store.provider.online_store.online_read(store.config, view, keys_of("ann")) == [(None, None)]
    north = store.get_online_features(["leg:minutes"], [{"start": "north", "end_zone": 1}]).to_dict()
    assert north["minutes"] == [7.0]
    write_window(store, DAY)
    assert online(store, ["ann"]) == [1.0]


def test_a_store_that_nothing_was_written_to_answers_that_nothing_is_there(store):
    assert online(store, ["ann"]) == [None]


def test_a_view_that_was_left_materializing_is_readable_and_recovers(settings, store):
    published(settings, store, DAY, {"ann": 1.0})
    view = store.get_feature_view("driver")
    view.state = FeatureViewState.MATERIALIZING
    with sqlite3.connect(settings.var / "state" / "airloom.db") as connection:
        row = (view.to_proto().SerializeToString(),)
        connection.execute("UPDATE feature_views SET feature_view_proto = ? WHERE feature_view_name = 'driver'", row)
    connection.close()
    again = open_feature_store(small_pipeline(), settings)
    assert again.get_feature_view("driver").state == FeatureViewState.MATERIALIZING
    assert online(again, ["ann"]) == [1.0]
    published(settings, again, DAY, {"ann": 2.0})
    assert online(again, ["ann"]) == [2.0]
    assert again.get_feature_view("driver").state == FeatureViewState.AVAILABLE_ONLINE


def write_days(settings, days):
    store = open_feature_store(small_pipeline(), settings)
    for day in days:
        write_window(store, day)


def test_two_processes_at_once_end_with_the_newest_values(settings, store):
    days = [DAY - timedelta(days=back) for back in range(3)]
    for back, day in enumerate(days):
        publish_view(settings, "driver", day, drivers(day, {f"d{number}": float(back) for number in range(200)}))
    assert run_at_once(write_days, (settings, days), (settings, days[::-1])) == [0, 0]
    assert online(store, [f"d{number}" for number in range(200)]) == [0.0] * 200


def stored(store, *names):
    return store.provider.online_store.online_read(store.config, store.get_feature_view("driver"), keys_of(*names))


def test_rows_of_a_day_that_was_taken_back_become_the_newest_that_remain(settings, store):
    published(settings, store, DAY - timedelta(days=2), {"ann": 1.0})
    published(settings, store, DAY - timedelta(days=1), {"bob": 2.0, "cas": 2.0})
    published(settings, store, DAY, {"ann": 3.0, "bob": 3.0, "eve": 3.0})
    taken_back(settings, store, DAY)
    assert online(store, ["ann", "bob", "cas", "eve"]) == [1.0, 2.0, 2.0, None]


def test_an_older_day_that_was_taken_back_leaves_newer_rows_alone(settings, store):
    published(settings, store, DAY - timedelta(days=1), {"ann": 1.0, "bob": 1.0})
    published(settings, store, DAY, {"ann": 2.0})
    taken_back(settings, store, DAY - timedelta(days=1))
    assert online(store, ["ann", "bob"]) == [2.0, None]


def test_a_day_far_ahead_that_was_taken_back_makes_no_other_day_too_old(settings, store):
    published(settings, store, DAY, {"ann": 1.0, "bob": 1.0})
    published(settings, store, DAY + timedelta(days=6000), {"bob": 2.0})
    assert online(store, ["ann", "bob"]) == [None, 2.0]
    taken_back(settings, store, DAY + timedelta(days=6000))
    assert online(store, ["ann", "bob"]) == [1.0, 1.0]
    published(settings, store, DAY + timedelta(days=1), {"bob": 3.0})
    assert online(store, ["ann", "bob"]) == [1.0, 3.0]


def test_taking_back_the_only_day_leaves_nothing_and_a_later_publish_fills_the_store_again(settings, store):
    published(settings, store, DAY, {"ann": 1.0})
    taken_back(settings, store, DAY)
    assert online(store, ["ann"]) == [None]
    published(settings, store, DAY, {"ann": 2.0})
    assert online(store, ["ann"]) == [2.0]


def taken_back(settings, store, day):
    lake = Lake(settings.lake / "small")
    lake.withdraw("features.driver", lake.partitions("features.driver")[day], {})
    write_window(store, day)
