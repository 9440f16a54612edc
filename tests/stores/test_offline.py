from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from feast.data_source import DataSource

from airloom.core.errors import DataError, UsageError
from airloom.core.partitions import as_of
from airloom.stores.lake import Lake
from airloom.stores.source import LakeSource
from tests.worlds.feature_lake import DAY, ZONE, asked, drivers, legs, open_small, publish_view
from tests.worlds.installation import settings_at

FEATURES = ["driver:rate", "driver:trips", "driver:home"]


@pytest.fixture
def settings(tmp_path):
    return settings_at(tmp_path)


@pytest.fixture
def store(settings):
    return open_small(settings)


def days_before(count):
    return DAY - timedelta(days=count)


def rates(store, rows):
    return store.get_historical_features(rows, ["driver:rate"]).to_df()["rate"].tolist()


def test_every_row_comes_back_in_its_place_with_its_own_columns(store, settings):
    publish_view(settings, "driver", DAY, drivers(DAY, {"ann": 0.5, "bob": None}))
    rows = asked(DAY, ["bob", None, "ann", "ann", "nobody"]).assign(note=list("abcde"))
    joined = store.get_historical_features(rows, FEATURES).to_df()
    pd.testing.assert_frame_equal(joined[list(rows.columns)], rows)
    assert joined.columns.tolist() == [*rows.columns, "rate", "trips", "home"]
    assert joined["home"].tolist() == ["home of bob", None, "home of ann", "home of ann", None]


def test_numbers_are_float64_whether_any_is_missing_or_not(store, settings):
    publish_view(settings, "driver", DAY, drivers(DAY, {"ann": 0.5}))
    for names in (["ann"], ["ann", "nobody"], ["nobody"]):
        joined = store.get_historical_features(asked(DAY, names), FEATURES).to_df()
        assert [str(joined[name].dtype) for name in ("rate", "trips", "home")] == ["float64", "float64", "object"]


def test_features_are_named_after_their_view_when_asked(store, settings):
    publish_view(settings, "driver", DAY, drivers(DAY, {"ann": 0.5}))
    joined = store.get_historical_features(asked(DAY, ["ann"]), ["driver:rate"], full_feature_names=True).to_df()
    assert joined["driver__rate"].tolist() == [0.5]


def test_a_moment_before_the_end_of_the_day_knows_only_the_day_before(store, settings):
    publish_view(settings, "driver", days_before(1), drivers(days_before(1), {"ann": 0.1}))
    publish_view(settings, "driver", DAY, drivers(DAY, {"ann": 0.2}))
    end = as_of(DAY, ZONE)
    moments = [end - timedelta(microseconds=1), end, end + timedelta(hours=1)]
    rows = pd.DataFrame({"driver_id": "ann", "event_timestamp": pd.to_datetime(moments, utc=True)})
    assert rates(store, rows) == [0.1, 0.2, 0.2]


def test_what_became_known_later_does_not_exist_yet(store, settings):
    late = as_of(DAY, ZONE) + timedelta(hours=6)
    publish_view(settings, "driver", days_before(1), drivers(days_before(1), {"ann": 0.1}))
    publish_view(settings, "driver", DAY, drivers(DAY, {"ann": 0.2}, known_at=late))
    assert rates(store, asked(DAY, ["ann"])) == [0.1]
    assert rates(store, asked(late, ["ann"])) == [0.2]


def test_a_feature_older_than_its_ttl_is_missing(store, settings):
    publish_view(settings, "driver", days_before(5), drivers(days_before(5), {"ann": 0.1}))
    publish_view(settings, "driver", days_before(6), drivers(days_before(6), {"bob": 0.1}))
    assert rates(store, asked(DAY, ["ann", "bob"])) == pytest.approx([0.1, np.nan], nan_ok=True)


def test_several_views_and_several_keys_join_at_once(store, settings):
    publish_view(settings, "driver", DAY, drivers(DAY, {"ann": 0.5}))
    publish_view(settings, "leg", DAY, legs(DAY, {("north", 1): 7.0, ("north", 2): 8.0}))
    rows = asked(DAY, ["ann", "ann", "nobody"]).assign(start=["north", "south", "north"], end_zone=[2, 2, 1])
    joined = store.get_historical_features(rows, ["leg:minutes", "driver:rate"]).to_df()
    assert joined["minutes"].tolist() == pytest.approx([8.0, np.nan, 7.0], nan_ok=True)
    assert joined["rate"].tolist() == pytest.approx([0.5, 0.5, np.nan], nan_ok=True)


def test_only_partitions_that_can_matter_are_opened(store, settings, monkeypatch):
    for back in range(20):
        publish_view(settings, "driver", days_before(back), drivers(days_before(back), {"ann": float(back)}))
    opened = []
    dataset = Lake.dataset
    monkeypatch.setattr(
        Lake, "dataset", lambda lake, table, days: opened.append(set(days)) or dataset(lake, table, opened[-1])
    )
    assert rates(store, asked(days_before(8), ["ann"])) == [8.0]
    assert opened[0] >= {days_before(back) for back in range(8, 14)}
    assert min(opened[0]) >= days_before(15)
    assert max(opened[0]) <= days_before(7)


def test_later_partitions_change_no_earlier_answer(store, settings):
    publish_view(settings, "driver", days_before(1), drivers(days_before(1), {"ann": 0.1}))
    before = rates(store, asked(days_before(1), ["ann"]))
    publish_view(settings, "driver", DAY, drivers(DAY, {"ann": 0.9}))
    assert rates(store, asked(days_before(1), ["ann"])) == before == [0.1]


def test_features_that_were_never_computed_are_an_error(store):
    with pytest.raises(DataError, match=r"no table features\.driver"):
        rates(store, asked(DAY, ["ann"]))


def test_a_naive_moment_is_refused(store, settings):
    rows = pd.DataFrame({"driver_id": ["ann"], "event_timestamp": [datetime(2024, 3, 1)]})
    with pytest.raises(DataError, match="time zone"):
        rates(store, rows)


def test_a_query_instead_of_rows_is_refused(store):
    with pytest.raises(UsageError, match="data frame"):
        store.get_historical_features("SELECT 1", ["driver:rate"])


def test_a_declared_feature_that_the_table_lacks_is_named(store, settings):
    publish_view(settings, "driver", DAY, drivers(DAY, {"ann": 0.5}).drop_columns(["home"]))
    with pytest.raises(DataError) as refused:
        store.get_historical_features(asked(DAY, ["ann"]), FEATURES).to_df()
    assert refused.value.expected == "home"


def test_all_rows_of_a_window_can_be_pulled(store, settings):
    for back in range(4):
        publish_view(settings, "driver", days_before(back), drivers(days_before(back), {"ann": float(back)}))
    view = store.get_feature_view("driver")
    pulled = store.provider.offline_store.pull_all_from_table_or_query(
        store.config,
        view.batch_source,
        ["driver_id"],
        ["rate"],
        "as_of",
        "known_at",
        as_of(days_before(2), ZONE),
        as_of(days_before(1), ZONE).astimezone(UTC),
    ).to_arrow()
    assert sorted(pulled.column("rate").to_pylist()) == [1.0, 2.0]


def test_a_source_survives_the_registry():
    source = LakeSource(table="features.driver", description="rates", tags={"a": "b"}, owner="me")
    assert DataSource.from_proto(source.to_proto()) == source
    assert source != LakeSource(table="features.leg", name="features.driver", description="rates")


def test_categories_join_like_words(store, settings):
    publish_view(settings, "driver", DAY, drivers(DAY, {"ann": 0.5}))
    rows = asked(DAY, ["ann", "bob"]).astype({"driver_id": "category"})
    joined = store.get_historical_features(rows, ["driver:rate"]).to_df()
    assert str(joined["driver_id"].dtype) == "category"
    assert joined["rate"].tolist() == pytest.approx([0.5, np.nan], nan_ok=True)
    assert pa.types.is_floating(pa.Table.from_pandas(joined).schema.field("rate").type)
