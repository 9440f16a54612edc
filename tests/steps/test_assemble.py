import shutil
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from airloom.core.errors import DataError, NotDue
from airloom.core.partitions import as_of, day_range
from airloom.core.pipeline import Window
from airloom.steps.assemble import assemble, examples_at
from airloom.steps.columns import input_columns, join_features
from airloom.steps.examples import DAY
from airloom.steps.score import rows_to_score
from airloom.steps.training_sets import read_rows
from airloom.stores.lake import Lake
from tests.worlds.installation import publish, settings_at
from tests.worlds.nights import NIGHT
from tests.worlds.small_lake import CARRIERS, PIPELINE, START, ZONE, flights_on, publish_days, rates_on, schedule_on


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    folder = tmp_path_factory.mktemp("published")
    publish_days(settings_at(folder), day_range(START, NIGHT))
    return folder


@pytest.fixture
def settings(published, tmp_path):
    shutil.copytree(published, tmp_path, dirs_exist_ok=True)
    return settings_at(tmp_path)


def rows_of(training, settings):
    return pd.concat([read_rows(training, split, settings).frame for split in ("train", "holdout")])


def test_a_row_gets_the_features_of_the_day_that_it_was_scored_on(settings):
    rows = rows_of(assemble(PIPELINE, NIGHT, settings), settings)
    place = rows["carrier"].map(CARRIERS.index)
    expected = [day.day / 100 for day in rows[DAY]] + place / 1000
    np.testing.assert_allclose(rows["carrier_delays__late_rate"], expected)


def test_the_window_ends_with_the_newest_mature_day_and_an_embargo_lies_before_the_holdout(settings):
    training = assemble(PIPELINE, NIGHT, settings)
    train, holdout = (read_rows(training, split, settings).frame for split in ("train", "holdout"))
    assert sorted(train[DAY].unique()) == day_range(date(2024, 1, 4), date(2024, 1, 6))
    assert sorted(holdout[DAY].unique()) == day_range(date(2024, 1, 8), date(2024, 1, 9))
    assert (training.rows, training.holdout_rows) == (60, 40)
    assert training.dropped["in the embargo"] == 20


def test_training_has_joined_what_is_scored(settings):
    rows = rows_of(assemble(PIPELINE, NIGHT, settings), settings)
    columns = ["flight_id", *input_columns(PIPELINE, settings)]
    for day, trained in rows.groupby(DAY):
        scored = rows_to_score(PIPELINE, day, settings)[columns]
        pd.testing.assert_frame_equal(trained[columns].reset_index(drop=True), scored)


def test_models_read_declared_inputs_and_then_features(settings):
    training = assemble(PIPELINE, NIGHT, settings)
    expected = ["carrier", "distance", "carrier_delays__late_rate"]
    assert input_columns(PIPELINE, settings) == expected
    assert list(read_rows(training, "train", settings).inputs.columns) == expected


def test_rows_without_a_label_or_with_one_known_later_are_left_out_and_counted(settings):
    labels = flights_on(NIGHT)
    labels.loc[0, "late"] = None
    labels.loc[[1, 2], "known_at"] = pd.Timestamp(as_of(NIGHT, ZONE)) + pd.Timedelta(minutes=1)
    labels.loc[3, "known_at"] = pd.Timestamp(as_of(NIGHT, ZONE))
    labels.loc[4, "scheduled_at"] = pd.Timestamp(as_of(NIGHT, ZONE)) + pd.Timedelta(seconds=1)
    publish(settings, "late", "raw.flights", NIGHT, labels)
    training = assemble(PIPELINE, NIGHT, settings)
    assert (training.dropped["without a label"], training.dropped["label outside its horizon"]) == (3, 1)
    assert training.holdout_rows == 36


def test_a_row_that_was_known_too_late_is_neither_scored_nor_trained_on(settings):
    day = date(2024, 1, 9)
    rows = schedule_on(day)
    rows.loc[[0, 1], "known_at"] = pd.Timestamp(as_of(day, ZONE)) + pd.Timedelta(seconds=1)
    publish(settings, "late", "raw.schedule", day, rows)
    training = assemble(PIPELINE, NIGHT, settings)
    assert (training.dropped["known too late to be scored"], training.holdout_rows) == (2, 38)
    assert len(rows_to_score(PIPELINE, day, settings)) == 18


def test_labels_of_rows_that_were_not_scored_are_counted(settings):
    day = date(2024, 1, 5)
    publish(settings, "late", "raw.schedule", day, schedule_on(day).head(17))
    publish(settings, "late", "raw.schedule", START, schedule_on(START).head(1))
    training = assemble(PIPELINE, NIGHT, settings)
    assert (training.rows, training.dropped["labels without a scored row"]) == (57, 3)


def test_the_record_says_what_was_read(settings):
    training = assemble(PIPELINE, NIGHT, settings)
    lake = Lake(settings.lake / PIPELINE.name)
    assert [(each.name, each.partition) for each in training.inputs] == [
        *(("raw.schedule", day) for day in day_range(date(2024, 1, 4), date(2024, 1, 9))),
        *(("raw.flights", day) for day in day_range(date(2024, 1, 5), date(2024, 1, 10))),
        *(("features.carrier_delays", day) for day in day_range(date(2024, 1, 4), date(2024, 1, 9))),
    ]
    assert training.inputs[0].version == lake.partitions("raw.schedule")[date(2024, 1, 4)].version
    tables = ("raw.schedule", "raw.flights", "features.carrier_delays")
    assert training.lake == {table: lake.commit(table) for table in tables}
    assert not training.degraded


def test_the_record_names_the_commits_of_the_raw_tables_behind_the_features_too(settings):
    publish(settings, "late", "raw.weather", NIGHT, flights_on(NIGHT))
    view = PIPELINE.features.views["carrier_delays"].model_copy(update={"reads": ("weather",)})
    features = PIPELINE.features.model_copy(update={"views": {"carrier_delays": view}})
    training = assemble(PIPELINE.model_copy(update={"features": features}), NIGHT, settings)
    assert training.lake["raw.weather"] == Lake(settings.lake / PIPELINE.name).commit("raw.weather")


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
        publish(settings, "late", "raw.schedule", later, schedule_on(later).assign(distance=1))
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
    commits, lake = assemble(PIPELINE, NIGHT, settings).lake, Lake(settings.lake / PIPELINE.name)
    expected = examples_at(PIPELINE, NIGHT, lake.at(commits), settings).frame
    day = date(2024, 1, 6)
    publish(settings, "late", "raw.schedule", day, schedule_on(day).assign(distance=1))
    publish(settings, "late", "features.carrier_delays", day, rates_on(day).assign(late_rate=1.0))
    pd.testing.assert_frame_equal(examples_at(PIPELINE, NIGHT, lake.at(commits), settings).frame, expected)
    now = examples_at(PIPELINE, NIGHT, lake.at(assemble(PIPELINE, NIGHT, settings).lake), settings).frame
    assert {"distance", "carrier_delays__late_rate"} == {name for name in now if not now[name].equals(expected[name])}


def test_a_window_that_begins_before_the_start_is_not_due(settings):
    with pytest.raises(NotDue, match="5 of 6 days since the start"):
        assemble(PIPELINE, date(2024, 1, 6), settings)


@pytest.mark.parametrize(("night", "gap"), [(date(2024, 1, 11), "raw.flights 2024-01-11"), (NIGHT, "features")])
def test_a_window_with_a_gap_is_not_due_and_names_it(settings, night, gap):
    if gap == "features":
        shutil.rmtree(settings.lake / PIPELINE.name / "features")
    with pytest.raises(NotDue, match="has gaps") as error:
        assemble(PIPELINE, night, settings)
    assert gap in str(error.value)


def shorter():
    """The pipeline, content with fewer days than its window has."""
    train = PIPELINE.train.model_copy(update={"window": Window(min="4d", max="6d")})
    return PIPELINE.model_copy(update={"train": train})


@pytest.mark.parametrize("table", ["raw.schedule", "raw.flights", "features.carrier_delays"])
def test_days_with_gaps_are_left_out_of_a_window_that_may_be_shorter(settings, table):
    missing = date(2024, 1, 6)
    shutil.rmtree(settings.lake / PIPELINE.name / Path(*table.split(".")))
    for day in day_range(START, NIGHT):
        rows = {"raw.schedule": schedule_on, "raw.flights": flights_on, "features.carrier_delays": rates_on}[table](day)
        if day != missing:
            publish(settings, "late", table, day, rows)
    # The labels of the day before the missing one are what it lacks.
    gap = missing - timedelta(days=1) if table == "raw.flights" else missing
    training = assemble(shorter(), NIGHT, settings)
    found = rows_of(training, settings)
    assert sorted(found[DAY].unique()) == [
        day for day in day_range(date(2024, 1, 4), date(2024, 1, 9)) if day not in (gap, date(2024, 1, 7))
    ]
    assert training.dropped["on days with gaps"] == (0 if table == "raw.schedule" else 20)
    with pytest.raises(NotDue, match="5 of 6 days are whole"):
        assemble(PIPELINE, NIGHT, settings)


def test_a_young_pipeline_trains_with_the_days_that_are_there(settings):
    training = assemble(shorter(), date(2024, 1, 5), settings)
    assert (training.rows, training.holdout_rows, training.dropped["in the embargo"]) == (20, 40, 20)
    with pytest.raises(NotDue, match="3 of 4 days since the start"):
        assemble(shorter(), date(2024, 1, 4), settings)


@pytest.mark.parametrize("column", ["as_of", "known_at"])
def test_a_feature_from_after_its_day_stops_the_training_by_name(settings, column):
    day = date(2024, 1, 6)
    rates = rates_on(day)
    rates.loc[1, column] += pd.Timedelta(seconds=1)
    publish(settings, "late", "features.carrier_delays", day, rates)
    with pytest.raises(DataError, match="from after the end of their day") as error:
        assemble(PIPELINE, NIGHT, settings)
    assert (error.value.where, error.value.found) == ("features.carrier_delays of 2024-01-06", "1 of 3 rows")


def weighted(column):
    return PIPELINE.model_copy(update={"train": PIPELINE.train.model_copy(update={"weight": column})})


def test_a_declared_weight_is_part_of_the_training_set_and_no_input(settings):
    for day in day_range(START, NIGHT):
        publish(settings, "late", "raw.schedule", day, schedule_on(day).assign(seats=100.0))
    training = assemble(weighted("seats"), NIGHT, settings)
    assert set(rows_of(training, settings)["seats"]) == {100.0}
    assert "seats" not in read_rows(training, "train", settings).inputs


@pytest.mark.parametrize("seats", [-1.0, np.nan, np.inf])
def test_weights_that_are_none_stop_the_training(settings, seats):
    for day in day_range(START, NIGHT):
        one = seats if day == date(2024, 1, 9) else 1.0
        publish(settings, "late", "raw.schedule", day, schedule_on(day).assign(seats=one))
    with pytest.raises(DataError, match="are no weights") as error:
        assemble(weighted("seats"), NIGHT, settings)
    assert error.value.found == "20 of 100 rows"


def test_weights_that_are_words_stop_the_training(settings):
    for day in day_range(START, NIGHT):
        publish(settings, "late", "raw.schedule", day, schedule_on(day).assign(seats="many"))
    with pytest.raises(DataError, match="are no weights"):
        assemble(weighted("seats"), NIGHT, settings)


@pytest.mark.parametrize(("days", "purpose"), [((4, 5, 6), "to learn from"), ((8, 9), "held out")])
def test_a_training_set_without_rows_of_a_split_says_what_became_of_them(settings, days, purpose):
    for day in (date(2024, 1, each) for each in days):
        later = day + timedelta(days=1)
        publish(settings, "late", "raw.flights", later, flights_on(later).assign(late=np.nan))
    with pytest.raises(DataError, match=f"There are no rows {purpose}") as error:
        assemble(PIPELINE, NIGHT, settings)
    assert f"{20 * len(days)} without a label" in error.value.found


def test_a_weight_that_no_row_has_stops_the_training(settings):
    with pytest.raises(DataError, match="no column 'seats' to weight them by"):
        assemble(weighted("seats"), NIGHT, settings)


def leaking(settings, how):
    """Give every scored row an input that knows its label."""
    for day in day_range(START, NIGHT):
        late = flights_on(day + timedelta(days=1))["late"]
        publish(settings, "late", "raw.schedule", day, schedule_on(day).assign(distance=late * 100 + 1))
    return PIPELINE.model_copy(update={"train": PIPELINE.train.model_copy(update={"leak": how})})


def test_a_column_that_knows_the_label_is_warned_of_by_name(settings, caplog):
    training = assemble(leaking(settings, "warn"), NIGHT, settings)
    assert [(leak.column, leak.sign) for leak in training.leaks] == [("distance", "separation")]
    assert "distance separates the label by itself" in caplog.text


def test_a_column_that_knows_the_label_stops_the_training_where_that_is_declared(settings):
    with pytest.raises(DataError, match="seem to know the label") as error:
        assemble(leaking(settings, "block"), NIGHT, settings)
    assert error.value.found.startswith("distance separates the label by itself")


def test_a_feature_without_any_value_stops_the_training_by_name(settings):
    for day in day_range(START, NIGHT):
        publish(settings, "late", "features.carrier_delays", day, rates_on(day).assign(late_rate=np.nan))
    with pytest.raises(DataError, match="no value at all in carrier_delays__late_rate"):
        assemble(PIPELINE, NIGHT, settings)


@pytest.mark.parametrize(("days", "split"), [((5, 6, 7), "train"), ((9, 10), "holdout")])
def test_a_label_with_one_value_stops_the_training(settings, days, split):
    for day in (date(2024, 1, each) for each in days):
        publish(settings, "late", "raw.flights", day, flights_on(day).assign(late=0.0))
    with pytest.raises(DataError, match=f"only one value in the {split} rows"):
        assemble(PIPELINE, NIGHT, settings)


def test_a_constant_column_is_only_warned_of(settings, caplog):
    for day in day_range(START, NIGHT):
        publish(settings, "late", "raw.schedule", day, schedule_on(day).assign(distance=500))
    assert assemble(PIPELINE, NIGHT, settings).rows == 60
    assert "distance" in caplog.text


def test_rows_of_unknown_or_missing_entities_stay_where_they_are(settings):
    rows = flights_on(date(2024, 1, 9))[["carrier", "distance"]].head(4)
    rows["carrier"] = ["UA", None, "ZZ", "UA"]
    shuffled, lake = rows.set_index(pd.Index([9, 9, 1, 0])), Lake(settings.lake / PIPELINE.name)
    joined = join_features(PIPELINE, settings, shuffled, as_of(date(2024, 1, 8), ZONE), lake)
    assert list(joined.index) == [0, 1, 2, 3]
    assert list(joined["carrier"]) == ["UA", None, "ZZ", "UA"]
    np.testing.assert_array_equal(joined["carrier_delays__late_rate"], [0.08, np.nan, np.nan, 0.08])


def test_a_missing_join_key_or_input_is_named(settings):
    lake = Lake(settings.lake / PIPELINE.name)
    with pytest.raises(DataError) as error:
        join_features(PIPELINE, settings, pd.DataFrame({"origin": ["JFK"]}), as_of(NIGHT, ZONE), lake)
    assert error.value.expected == "carrier, distance"
