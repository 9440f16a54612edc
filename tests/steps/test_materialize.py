import shutil
from datetime import timedelta

import pandas as pd
import pytest

from airloom.core.errors import DataError, SetupError
from airloom.core.partitions import as_of, day_range
from airloom.steps.compute import compute
from airloom.steps.materialize import materialize
from airloom.stores.features import apply_features, open_feature_store
from tests.worlds.flights import (
    DAY,
    START,
    VIEWS,
    ZONE,
    flight_pipeline,
    flights,
    flights_at,
    publish_days,
    publish_raw,
)
from tests.worlds.flights import features as definitions

RATE = "carrier_delays:carrier_late_rate_28d"


@pytest.fixture
def settings(applied, tmp_path):
    shutil.copytree(applied, tmp_path, dirs_exist_ok=True)
    return flights_at(tmp_path)


@pytest.fixture(scope="module")
def applied(tmp_path_factory):
    folder = tmp_path_factory.mktemp("applied")
    apply_features(flight_pipeline(), flights_at(folder), definitions)
    return folder


def run(settings, *days, pipeline=None):
    pipeline = pipeline or flight_pipeline()
    for day in days:
        computed = compute(pipeline, day, settings)
        materialized = materialize(pipeline, day, settings, computed.healed)
    return materialized


def online(settings, features):
    keys = {"carrier": "UA", "origin": "EWR", "dest": "IAH", "tailnum": "N0"}
    answer = open_feature_store(flight_pipeline(), settings).get_online_features(features, [keys]).to_dict()
    return [answer[feature.partition(":")[2]][0] for feature in features]


def everything(settings):
    views = open_feature_store(flight_pipeline(), settings).list_feature_views()
    return [f"{view.name}:{feature.name}" for view in views for feature in view.features]


def test_the_online_store_answers_as_the_offline_join_does(settings, capsys):
    publish_days(settings, START, DAY)
    materialized = run(settings, DAY)
    assert materialized.rows == dict(zip(VIEWS, (3, 2, 4, 4, 4, 2), strict=True))
    assert capsys.readouterr().out == ""
    features = everything(settings)
    keys = pd.DataFrame({"carrier": ["UA"], "origin": ["EWR"], "dest": ["IAH"], "tailnum": ["N0"]})
    rows = keys.assign(event_timestamp=pd.Timestamp(as_of(DAY, ZONE)))
    offline = open_feature_store(flight_pipeline(), settings).get_historical_features(rows, features).to_df()
    expected = offline[[feature.partition(":")[2] for feature in features]].iloc[0].tolist()
    assert online(settings, features) == expected


def test_days_in_any_order_leave_the_newest_online(settings):
    publish_days(settings, START, DAY)
    run(settings, DAY)
    newest = online(settings, [RATE])
    run(settings, START, DAY - timedelta(days=4))
    assert online(settings, [RATE]) == newest


def test_a_correction_of_an_earlier_day_reaches_the_online_store(settings):
    publish_days(settings, START, DAY)
    run(settings, *day_range(DAY - timedelta(days=2), DAY))
    before = online(settings, [RATE])
    publish_raw(settings, "flights", START, flights(START, delay=99.0))
    run(settings, START)
    after = online(settings, [RATE])
    expected = pd.concat([flights(START, delay=99.0), *(flights(day) for day in day_range(START, DAY)[1:])])
    assert after != before
    assert after == [pytest.approx(expected.groupby("carrier")["late"].mean()["UA"])]


def test_the_same_again_changes_no_answer(settings):
    publish_days(settings, START, DAY)
    first = run(settings, DAY)
    before = online(settings, everything(settings))
    assert run(settings, DAY) == first
    assert online(settings, everything(settings)) == before


def test_a_view_that_was_left_out_keeps_its_newest_value_online(settings):
    publish_days(settings, START, DAY)
    run(settings, DAY)
    before = online(settings, ["plane:plane_seats"])
    publish_raw(settings, "flights", DAY + timedelta(days=1), flights(DAY + timedelta(days=1)))
    materialized = run(settings, DAY + timedelta(days=1))
    assert set(VIEWS) - set(materialized.rows) == {"plane", "origin_weather"}
    assert online(settings, ["plane:plane_seats"]) == before


def test_a_view_without_rows_leaves_the_newest_value_online(settings):
    publish_days(settings, START, DAY)
    run(settings, DAY)
    before = online(settings, ["plane:plane_seats"])
    tomorrow = DAY + timedelta(days=1)
    publish_days(settings, tomorrow, tomorrow)
    publish_raw(settings, "planes", tomorrow, pd.DataFrame())
    assert run(settings, tomorrow).rows["plane"] == 0
    assert online(settings, ["plane:plane_seats"]) == before


def test_a_view_that_never_had_a_row_is_joined_and_answered_as_missing(settings):
    publish_days(settings, START, DAY)
    for day in day_range(START, DAY):
        publish_raw(settings, "planes", day, pd.DataFrame())
    assert run(settings, DAY).rows["plane"] == 0
    assert online(settings, ["plane:plane_seats"]) == [None]
    rows = pd.DataFrame({"tailnum": ["N0", None], "event_timestamp": pd.Timestamp(as_of(DAY, ZONE))})
    features = ["plane:plane_seats", "plane:plane_manufacturer"]
    joined = open_feature_store(flight_pipeline(), settings).get_historical_features(rows, features).to_df()
    assert joined[["plane_seats", "plane_manufacturer"]].isna().all(axis=None)


def test_features_that_were_not_computed_are_an_error(settings):
    publish_days(settings, DAY, DAY)
    with pytest.raises(DataError, match="have not been computed"):
        materialize(flight_pipeline(), DAY, settings)


def test_definitions_that_were_not_applied_are_an_error(tmp_path):
    settings = flights_at(tmp_path)
    publish_days(settings, DAY, DAY)
    compute(flight_pipeline(), DAY, settings)
    with pytest.raises(SetupError) as refused:
        materialize(flight_pipeline(), DAY, settings)
    assert refused.value.do == "run: airloom apply"
