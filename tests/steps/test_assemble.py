import shutil
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest

from airloom.core.errors import DataError, NotDue
from airloom.core.partitions import as_of, day_range
from airloom.steps.assemble import assemble, examples_at
from airloom.steps.columns import input_columns, join_features
from airloom.steps.training_sets import read_rows
from airloom.stores.lake import Lake
from tests.worlds.installation import publish, settings_at
from tests.worlds.nights import NIGHT
from tests.worlds.small_lake import CARRIERS, PIPELINE, START, ZONE, flights_on, publish_days, rates_on


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    folder = tmp_path_factory.mktemp("published")
    publish_days(settings_at(folder), day_range(START, NIGHT - timedelta(days=1)))
    return folder


@pytest.fixture
def settings(published, tmp_path):
    shutil.copytree(published, tmp_path, dirs_exist_ok=True)
    return settings_at(tmp_path)


def rows_of(training, settings):
    return pd.concat([read_rows(training, split, settings).frame for split in ("train", "holdout")])


def test_a_row_gets_the_features_that_were_known_the_day_before(settings):
    rows = rows_of(assemble(PIPELINE, NIGHT, settings), settings)
    place = rows["carrier"].map(CARRIERS.index)
    expected = [(day - timedelta(days=1)).day / 100 for day in rows["partition"]] + place / 1000
    np.testing.assert_allclose(rows["carrier_delays__late_rate"], expected)


def test_the_window_ends_with_the_newest_known_labels_and_the_holdout_is_its_end(settings):
    training = assemble(PIPELINE, NIGHT, settings)
    train, holdout = (read_rows(training, split, settings).frame for split in ("train", "holdout"))
    assert sorted(train["partition"].unique()) == day_range(date(2024, 1, 5), date(2024, 1, 7))
    assert sorted(holdout["partition"].unique()) == day_range(date(2024, 1, 8), date(2024, 1, 9))
    assert (training.rows, training.holdout_rows) == (60, 40)


def test_models_read_declared_inputs_and_then_features(settings):
    training = assemble(PIPELINE, NIGHT, settings)
    expected = ["carrier", "distance", "carrier_delays__late_rate"]
    assert input_columns(PIPELINE, settings) == expected
    assert list(read_rows(training, "train", settings).inputs.columns) == expected


def test_rows_without_a_label_or_with_one_known_later_are_left_out_and_counted(settings):
    day = date(2024, 1, 9)
    rows = flights_on(day)
    rows.loc[0, "late"] = None
    rows.loc[[1, 2], "known_at"] = pd.Timestamp(as_of(NIGHT, ZONE)) + pd.Timedelta(minutes=1)
    rows.loc[3, "known_at"] = pd.Timestamp(as_of(NIGHT, ZONE))
    publish(settings, "late", "raw.flights", day, rows)
    training = assemble(PIPELINE, NIGHT, settings)
    assert training.dropped == {"without a label": 1, "label known later": 2}
    assert training.holdout_rows == 37


def test_the_record_says_what_was_read(settings):
    training = assemble(PIPELINE, NIGHT, settings)
    lake = Lake(settings.lake / PIPELINE.name)
    assert [(each.name, each.partition) for each in training.inputs] == [
        *(("raw.flights", day) for day in day_range(date(2024, 1, 5), date(2024, 1, 9))),
        *(("features.carrier_delays", day) for day in day_range(date(2024, 1, 4), date(2024, 1, 8))),
    ]
    assert training.inputs[0].version == lake.partitions("raw.flights")[date(2024, 1, 5)].version
    assert training.lake == {table: lake.commit(table) for table in ("raw.flights", "features.carrier_delays")}
    assert not training.degraded


def test_the_record_names_the_commits_of_the_raw_tables_behind_the_features_too(settings):
    publish(settings, "late", "raw.schedule", date(2024, 1, 9), flights_on(date(2024, 1, 9)))
    view = PIPELINE.features.views["carrier_delays"].model_copy(update={"reads": "schedule"})
    features = PIPELINE.features.model_copy(update={"views": {"carrier_delays": view}})
    training = assemble(PIPELINE.model_copy(update={"features": features}), NIGHT, settings)
    assert training.lake["raw.schedule"] == Lake(settings.lake / PIPELINE.name).commit("raw.schedule")


@pytest.mark.parametrize("table", ["raw.flights", "features.carrier_delays"])
def test_a_degraded_day_makes_the_training_set_degraded(settings, table):
    day = date(2024, 1, 6)
    publish(settings, "late", table, day, flights_on(day) if table == "raw.flights" else rates_on(day), degraded=True)
    assert assemble(PIPELINE, NIGHT, settings).degraded


def test_assembling_again_gives_the_same_file(settings):
    first, second = (assemble(PIPELINE, NIGHT, settings) for _ in range(2))
    assert first == second
    assert len(list((settings.training / PIPELINE.name / "2024-01-10").iterdir())) == 1


def test_order_and_later_days_change_nothing(settings):
    expected = assemble(PIPELINE, NIGHT, settings)
    day = date(2024, 1, 7)
    publish(settings, "late", "raw.flights", day, flights_on(day).sample(frac=1, random_state=1))
    for later in day_range(NIGHT, NIGHT + timedelta(days=1)):
        publish(settings, "late", "raw.flights", later, flights_on(later).assign(late=1.0))
        publish(settings, "late", "features.carrier_delays", later, rates_on(later).assign(late_rate=1.0))
    again = assemble(PIPELINE, NIGHT, settings)
    assert again.digest == expected.digest
    pd.testing.assert_frame_equal(rows_of(again, settings), rows_of(expected, settings))


def test_a_corrected_label_is_another_training_set(settings):
    expected = assemble(PIPELINE, NIGHT, settings).digest
    day = date(2024, 1, 7)
    publish(settings, "late", "raw.flights", day, flights_on(day).assign(late=lambda rows: 1 - rows["late"]))
    assert assemble(PIPELINE, NIGHT, settings).digest != expected


def test_rows_and_features_are_read_at_the_commits_that_are_named(settings):
    commits = assemble(PIPELINE, NIGHT, settings).lake
    expected = examples_at(PIPELINE, NIGHT, commits, settings).frame
    day = date(2024, 1, 7)
    publish(settings, "late", "raw.flights", day, flights_on(day).assign(distance=1))
    publish(settings, "late", "features.carrier_delays", day, rates_on(day).assign(late_rate=1.0))
    pd.testing.assert_frame_equal(examples_at(PIPELINE, NIGHT, commits, settings).frame, expected)
    now = examples_at(PIPELINE, NIGHT, assemble(PIPELINE, NIGHT, settings).lake, settings).frame
    assert {"distance", "carrier_delays__late_rate"} == {name for name in now if not now[name].equals(expected[name])}


def test_a_window_that_begins_before_the_start_is_not_due(settings):
    with pytest.raises(NotDue, match="4 of 5 days since the start"):
        assemble(PIPELINE, date(2024, 1, 5), settings)


def test_the_first_full_window_is_due_though_nothing_was_known_before_its_first_day(settings):
    rows = rows_of(assemble(PIPELINE, date(2024, 1, 6), settings), settings)
    unknown = rows["carrier_delays__late_rate"].isna()
    assert set(rows[unknown]["partition"]) == {START}


@pytest.mark.parametrize(("night", "gap"), [(date(2024, 1, 11), "raw.flights 2024-01-10"), (NIGHT, "features")])
def test_a_window_with_a_gap_is_not_due_and_names_it(settings, night, gap):
    if gap == "features":
        shutil.rmtree(settings.lake / PIPELINE.name / "features")
    with pytest.raises(NotDue, match="has gaps") as error:
        assemble(PIPELINE, night, settings)
    assert gap in str(error.value)


def test_a_feature_without_any_value_stops_the_training_by_name(settings):
    for day in day_range(START, NIGHT - timedelta(days=1)):
        publish(settings, "late", "features.carrier_delays", day, rates_on(day).assign(late_rate=np.nan))
    with pytest.raises(DataError, match="no value at all in carrier_delays__late_rate"):
        assemble(PIPELINE, NIGHT, settings)


@pytest.mark.parametrize(("days", "split"), [((5, 6, 7), "train"), ((8, 9), "holdout")])
def test_a_label_with_one_value_stops_the_training(settings, days, split):
    for day in (date(2024, 1, each) for each in days):
        publish(settings, "late", "raw.flights", day, flights_on(day).assign(late=0.0))
    with pytest.raises(DataError, match=f"only one value in the {split} rows"):
        assemble(PIPELINE, NIGHT, settings)


def test_a_constant_column_is_only_warned_of(settings, caplog):
    for day in day_range(START, NIGHT - timedelta(days=1)):
        publish(settings, "late", "raw.flights", day, flights_on(day).assign(distance=500))
    assert assemble(PIPELINE, NIGHT, settings).rows == 60
    assert "distance" in caplog.text


def test_rows_of_unknown_or_missing_entities_stay_where_they_are(settings):
    rows = flights_on(date(2024, 1, 9))[["carrier", "distance"]].head(4)
    rows["carrier"] = ["UA", None, "ZZ", "UA"]
    joined = join_features(PIPELINE, settings, rows.set_index(pd.Index([9, 9, 1, 0])), as_of(date(2024, 1, 8), ZONE))
    assert list(joined.index) == [0, 1, 2, 3]
    assert list(joined["carrier"]) == ["UA", None, "ZZ", "UA"]
    np.testing.assert_array_equal(joined["carrier_delays__late_rate"], [0.08, np.nan, np.nan, 0.08])


def test_a_missing_join_key_or_input_is_named(settings):
    with pytest.raises(DataError) as error:
        join_features(PIPELINE, settings, pd.DataFrame({"origin": ["JFK"]}), as_of(NIGHT, ZONE))
    assert error.value.expected == "carrier, distance"
