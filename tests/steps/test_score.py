import dataclasses
import shutil
import sqlite3
import sys
from contextlib import contextmanager
from datetime import timedelta

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pydantic import ValidationError

from airloom.core.errors import DataError, NotDue, SetupError, Unavailable
from airloom.core.pipeline import Pipeline, Sink
from airloom.steps import outputs
from airloom.steps.columns import input_columns
from airloom.steps.compute import compute
from airloom.steps.inputs import FeatureInputs
from airloom.steps.materialize import materialize
from airloom.steps.predict import predict
from airloom.steps.score import rows_to_score, score
from airloom.stores import model_files
from airloom.stores.content import content_version
from airloom.stores.features import apply_features
from airloom.stores.ledger import Ledger
from airloom.stores.models import ModelRegistry
from airloom.stores.renaming import rename_predictions
from airloom.stores.runs import RunKey, TrainingRuns
from tests.worlds.candidates import Carriers
from tests.worlds.flights import (
    DAY,
    START,
    features,
    flight_pipeline,
    flights,
    flights_at,
    lake_of,
    publish_days,
    publish_raw,
    schedule,
)
from tests.worlds.older_tables import begin_older

PIPELINE = flight_pipeline()
YESTERDAY = DAY - timedelta(days=1)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """An installation with features of two days, offline and online."""
    folder = tmp_path_factory.mktemp("prepared")
    settings = flights_at(folder)
    apply_features(PIPELINE, settings, features)
    publish_days(settings, START, DAY)
    for day in (YESTERDAY, DAY):
        publish_raw(settings, "schedule", day, schedule(day))
        compute(PIPELINE, day, settings)
        materialize(PIPELINE, day, settings)
    for number in (1, 2):
        register(settings, number)
    return folder


def register(settings, number):
    """Register a version of the model of carriers."""
    model, registry = Carriers(), ModelRegistry(settings, PIPELINE.name)
    rows = rows_to_score(PIPELINE, DAY, settings)[input_columns(PIPELINE, settings)]
    key = RunKey(YESTERDAY, "carriers", f"training {number}", "declaration", "source")
    with TrainingRuns(settings, PIPELINE.name).running(key, {}) as log:
        registry.save(log.run_id, "carriers", model, rows, model.predict(rows))
    assert registry.register(log.run_id, {}) == number


@pytest.fixture
def settings(prepared, tmp_path):
    shutil.copytree(prepared, tmp_path, dirs_exist_ok=True)
    return flights_at(tmp_path)


@pytest.fixture
def champion(settings):
    promote(settings, 1, YESTERDAY, 0)


def promote(settings, version, day, epoch):
    Ledger(settings.state_url).promote(
        PIPELINE.name, expected_epoch=epoch, effective_from=day, version=version, verdict=None, actor="t", reason="t"
    )


def predictions(settings, day=DAY):
    return lake_of(settings).read("predictions", [day])


def test_nothing_is_scored_without_a_champion(settings):
    with pytest.raises(NotDue, match="no champion as of"):
        score(PIPELINE, DAY, settings, "run")


def test_nothing_is_scored_for_a_day_that_is_not_published(settings, champion):
    with pytest.raises(NotDue, match="not published"):
        score(PIPELINE, DAY + timedelta(days=1), settings, "run")


def test_predictions_say_what_made_them(settings, champion):
    scored = score(PIPELINE, DAY, settings, "run")
    rows = predictions(settings)
    assert (scored.rows, scored.champion_version, len(rows)) == (12, 1, 12)
    assert rows["airloom_score"].between(0, 1).all()
    assert set(rows["airloom_model_version"]) == {1}
    assert set(rows["airloom_pipeline_digest"]) == {PIPELINE.digest}
    assert set(rows["airloom_run_id"]) == {"run"}


def test_a_day_without_rows_has_no_predictions_where_it_is_allowed(settings, champion):
    tables = PIPELINE.tables | {"schedule": PIPELINE.tables["schedule"].model_copy(update={"empty": "allow"})}
    quiet = PIPELINE.model_copy(update={"tables": tables})
    score(quiet, DAY, settings, "run")
    publish_raw(settings, "schedule", DAY, schedule(DAY).iloc[:0])
    with pytest.raises(DataError, match="not one row of schedule"):
        score(PIPELINE, DAY, settings, "run")
    scored = score(quiet, DAY, settings, "run")
    assert (scored.rows, scored.headline) == (0, "0 rows scored by version 1")
    assert predictions(settings).empty
    assert "unchanged" in score(quiet, DAY, settings, "run").headline
    publish_raw(settings, "schedule", DAY, schedule(DAY))
    assert score(quiet, DAY, settings, "run").rows == 12


def test_the_same_again_writes_nothing(settings, champion):
    score(PIPELINE, DAY, settings, "run")
    commit = lake_of(settings).commit("predictions")
    assert "unchanged" in score(PIPELINE, DAY, settings, "another run").headline
    assert lake_of(settings).commit("predictions") == commit


def test_a_day_is_scored_by_the_champion_as_of_it(settings, champion):
    promote(settings, 2, DAY, 1)
    assert score(PIPELINE, YESTERDAY, settings, "run").champion_version == 1
    assert score(PIPELINE, DAY, settings, "run").champion_version == 2


CURRENT = PIPELINE.model_copy(update={"score": PIPELINE.score.model_copy(update={"model": "current"})})


def test_history_can_be_scored_by_todays_champion_besides_into_columns_of_its_own(settings, champion):
    promote(settings, 2, DAY, 1)
    as_of = score(PIPELINE, YESTERDAY, settings, "run")
    before = predictions(settings, YESTERDAY)
    scored = score(CURRENT, YESTERDAY, settings, "run")
    after = predictions(settings, YESTERDAY)
    assert (as_of.champion_version, scored.champion_version) == (1, 1)
    assert scored.headline.startswith("12 rows scored by version 1 and 2, today's champion")
    assert scored.without_key == {"aircraft_delays": 1, "plane": 1}
    assert [set(after[name]) for name in ("airloom_model_version", "airloom_current_model_version")] == [{1}, {2}]
    assert list(after["airloom_score"]) == list(before["airloom_score"])
    assert after["airloom_current_score"].between(0, 1).all()


def test_with_todays_champion_also_a_day_before_the_first_one_is_scored(settings, champion):
    before = YESTERDAY - timedelta(days=1)
    publish_raw(settings, "schedule", before, schedule(before))
    compute(PIPELINE, before, settings)
    scored = score(CURRENT, before, settings, "run")
    rows = predictions(settings, before)
    assert (scored.champion_version, scored.rows) == (None, 12)
    assert rows["airloom_score"].isna().all()
    assert set(rows["airloom_current_model_version"]) == {1}


def test_history_is_scored_again_when_todays_champion_is_another(settings, champion):
    score(CURRENT, YESTERDAY, settings, "run")
    assert "unchanged" in score(CURRENT, YESTERDAY, settings, "run").headline
    promote(settings, 2, DAY, 1)
    assert score(CURRENT, YESTERDAY, settings, "run").headline.startswith("12 rows scored by version 1 and 2")


def test_a_run_that_stood_still_puts_no_predictions_over_those_of_a_newer_champion(settings, champion, monkeypatch):
    def stand_still(*args):
        monkeypatch.undo()
        promote(settings, 2, DAY, 1)
        score(PIPELINE, DAY, settings, "another run")
        return predict(*args)

    monkeypatch.setattr("airloom.steps.score.predict", stand_still)
    with pytest.raises(Unavailable, match="Another run has published predictions"):
        score(PIPELINE, DAY, settings, "run")
    rows = predictions(settings)
    assert (set(rows["airloom_model_version"]), set(rows["airloom_run_id"])) == ({2}, {"another run"})
    assert "unchanged" in score(PIPELINE, DAY, settings, "run").headline


@contextmanager
def edited(change):
    """Let the champion's class predict something else than it did when it was promoted."""
    predict_well = Carriers.predict
    Carriers.predict = lambda self, frame: change(predict_well(self, frame))
    try:
        yield
    finally:
        Carriers.predict = predict_well


def ill_for_the_day(change):
    """Change what is predicted for rows of a day alone, and not for those that are kept with a version."""
    return lambda values: change(values) if len(values) == ROWS else values


ROWS = 11
ALERTS = []


def record_alert(alert):
    ALERTS.append(alert)


ALERTING = PIPELINE.model_copy(update={"alert": f"{__name__}:record_alert"})


@pytest.fixture
def shorter(settings, champion):
    """The day with a row less than is kept with the versions."""
    publish_raw(settings, "schedule", DAY, schedule(DAY).iloc[:ROWS])
    ALERTS.clear()


def nan_once(values):
    return np.where(np.arange(len(values)) == 3, np.nan, values)


ILL = {
    "NaN": (nan_once, "1 of 11 values missing or NaN"),
    "no probability": (lambda values: values - 4, "11 of 11 values below 0 or above 1"),
    "shifted": (lambda values: pd.Series(values).shift(1).iloc[1:], "a Series whose index is not that of the frame"),
    "leaving": (lambda values: sys.exit(0), "SystemExit at tests/steps/test_score.py, line "),
}


@pytest.mark.parametrize("ill", ILL)
def test_a_champion_that_predicts_what_it_must_not_publishes_nothing_and_alerts(settings, shorter, ill):
    change, found = ILL[ill]
    with edited(ill_for_the_day(change)), pytest.raises(DataError, match="Version 1") as refused:
        score(ALERTING, DAY, settings, "run")
    assert refused.value.found.startswith(found)
    assert lake_of(settings).partitions("predictions") == {}
    assert [(each.partition, found in each.message) for each in ALERTS] == [(DAY, True)]
    assert score(ALERTING, DAY, settings, "run").rows == ROWS


@pytest.mark.parametrize("wrong", [nan_once, lambda values: 1 - values])
def test_what_was_published_wrongly_is_replaced_by_running_again(settings, shorter, wrong, monkeypatch):
    with edited(ill_for_the_day(wrong)), monkeypatch.context() as unguarded:
        unguarded.setattr(outputs, "require_outputs", lambda *args: None)
        score(PIPELINE, DAY, settings, "run")
    before = predictions(settings)
    assert "unchanged" not in score(PIPELINE, DAY, settings, "another run").headline
    assert not predictions(settings)["airloom_score"].equals(before["airloom_score"])
    assert predictions(settings)["airloom_score"].between(0, 1).all()
    assert "unchanged" in score(PIPELINE, DAY, settings, "a third run").headline


def test_a_champion_whose_class_was_edited_after_its_promotion_scores_nothing(settings, champion):
    with (
        edited(lambda values: 1 - values),
        pytest.raises(DataError, match="Version 1 is not any more what was") as error,
    ):
        score(ALERTING, DAY, settings, "run")
    assert error.value.where == "tests.worlds.candidates:Carriers"
    assert error.value.found.startswith("predictions differ by up to ")
    assert lake_of(settings).partitions("predictions") == {}
    with edited(lambda values: values + 1e-9):
        assert score(PIPELINE, DAY, settings, "run").rows == 12


def test_other_libraries_alone_are_a_warning(settings, champion, caplog, monkeypatch):
    monkeypatch.setattr(model_files, "version_of", lambda name: "another one")
    assert score(PIPELINE, DAY, settings, "run").rows == 12
    assert "A model was trained with other libraries than are installed: " in caplog.text


def test_a_day_of_an_ill_champion_keeps_no_other_day_from_its_predictions(settings, champion):
    promote(settings, 2, DAY, 1)
    score(PIPELINE, YESTERDAY, settings, "run")
    publish_raw(settings, "schedule", YESTERDAY, schedule(YESTERDAY).iloc[:ROWS])
    before = predictions(settings, YESTERDAY)
    with edited(ill_for_the_day(nan_once)), pytest.raises(DataError, match="Version 1"):
        score(PIPELINE, DAY, settings, "run")
    assert len(predictions(settings)) == 12
    pd.testing.assert_frame_equal(predictions(settings, YESTERDAY), before)
    assert score(PIPELINE, DAY, settings, "run").healed == (YESTERDAY,)


def test_later_days_whose_inputs_have_changed_are_scored_again(settings, champion):
    for day in (YESTERDAY, DAY):
        score(PIPELINE, day, settings, "run")
    publish_raw(settings, "flights", START, flights(START, delay=99.0))
    compute(PIPELINE, START, settings)
    assert score(PIPELINE, YESTERDAY, settings, "run").healed == (DAY,)


def test_a_warning_that_comes_or_goes_reaches_predictions_of_the_same_rows(settings, champion):
    first = score(PIPELINE, DAY, settings, "run").outputs[0].version
    for warned in (True, False):
        publish_raw(settings, "flights", DAY, flights(DAY), degraded=warned)
        compute(PIPELINE, DAY, settings)
        score(PIPELINE, DAY, settings, "run")
        published = lake_of(settings).partitions("predictions")[DAY]
        assert (published.version, published.degraded) == (first, warned)


def test_a_warning_against_a_day_before_reaches_the_predictions_that_used_it(settings, champion):
    score(PIPELINE, DAY, settings, "run")
    publish_raw(settings, "flights", START, flights(START), degraded=True)
    compute(PIPELINE, START, settings)
    assert score(PIPELINE, YESTERDAY, settings, "run").healed == (DAY,)
    assert lake_of(settings).partitions("predictions")[DAY].degraded


def test_a_day_before_the_first_champion_still_repairs_what_used_it(settings, champion):
    score(PIPELINE, DAY, settings, "run")
    publish_raw(settings, "flights", START, flights(START, delay=99.0))
    compute(PIPELINE, START, settings)
    scored = score(PIPELINE, START, settings, "run")
    assert (scored.healed, scored.rows, scored.champion_version) == ((DAY,), 0, None)
    assert [each.partition for each in scored.outputs] == [DAY]
    with pytest.raises(NotDue, match="no champion as of"):
        score(PIPELINE, START, settings, "run")


def test_the_newest_day_is_compared_with_the_online_store_and_an_older_one_is_not(settings, champion):
    assert score(PIPELINE, DAY, settings, "run").compared > 100
    assert score(PIPELINE, YESTERDAY, settings, "run").compared == 0


def test_other_features_online_than_offline_are_an_error(settings, champion):
    online = sqlite3.connect(settings.online)
    with online:
        swapped = "update entities set features = (select features from entities where view = 1 limit 1) where view = 1"
        assert online.execute(swapped).rowcount == 3
    online.close()
    with pytest.raises(DataError, match="answers other features") as refused:
        score(PIPELINE, DAY, settings, "run")
    assert "as of 2013-03-12" in refused.value.where
    assert lake_of(settings).partitions("predictions") == {}


def test_features_older_than_their_ttl_are_counted_and_those_of_strangers_are_not(settings, champion):
    later = DAY + timedelta(days=9)
    rows = schedule(later)
    rows.loc[0, "carrier"] = "XX"
    publish_raw(settings, "schedule", later, rows)
    scored = score(PIPELINE, later, settings, "run")
    assert scored.expired == {"carrier_delays": 11, "origin_delays": 12, "aircraft_delays": 11}
    assert "carrier_delays expired for 11 of them" in scored.headline


COPIED = PIPELINE.model_copy(update={"score": PIPELINE.score.model_copy(update={"sink": Sink(table="predicted")})})


def copied(settings):
    with sqlite3.connect(settings.predictions_url.removeprefix("sqlite:///")) as database:
        rows = database.execute("SELECT airloom_partition, flight_id, airloom_score FROM predicted ORDER BY 1, 2")
        found = rows.fetchall()
    database.close()
    return found


def expected(settings, *days):
    found = {day: predictions(settings, day).sort_values("flight_id") for day in days}
    return [(str(day), row.flight_id, row.airloom_score) for day in days for row in found[day].itertuples()]


def test_where_predictions_are_copied_to_is_no_part_of_what_they_are():
    assert COPIED.digest == PIPELINE.digest


def test_a_sink_without_a_database_is_told_before_anything_is_scored(settings, champion):
    with pytest.raises(SetupError, match="no database is named for it"):
        score(COPIED, DAY, settings, "run")
    assert lake_of(settings).partitions("predictions") == {}


def test_predictions_are_copied_and_those_that_were_missed_or_healed_too(settings, champion, tmp_path):
    url = f"sqlite:///{tmp_path}/predictions.db"
    score(PIPELINE, YESTERDAY, settings, "run")
    settings = dataclasses.replace(settings, predictions_url=url)
    assert score(COPIED, DAY, settings, "run").headline.endswith("; 2 days copied to predicted")
    assert copied(settings) == expected(settings, YESTERDAY, DAY)
    assert "copied" not in score(COPIED, DAY, settings, "run").headline
    publish_raw(settings, "flights", START, flights(START, delay=99.0))
    compute(PIPELINE, START, settings)
    assert score(COPIED, YESTERDAY, settings, "run").healed == (DAY,)
    assert copied(settings) == expected(settings, YESTERDAY, DAY)


def test_predictions_of_an_earlier_version_keep_their_names_and_are_the_same_when_they_are_renamed(settings, champion):
    lake, joined = lake_of(settings), rows_to_score(PIPELINE, DAY, settings)
    first = joined[["flight_id", "scheduled_at"]].assign(score=0.5, model_version=1).head(1)
    begin_older(lake, "predictions", START, pa.Table.from_pandas(first, preserve_index=False))
    score(PIPELINE, DAY, settings, "run")
    published = lake.partitions("predictions")[DAY]
    assert [name for name in predictions(settings) if name.startswith("airloom_")] == []
    made = predict(PIPELINE, joined, {"": 1}, settings).rename(columns=lambda name: name.removeprefix("airloom_"))
    made = made.assign(pipeline_digest=PIPELINE.digest).sort_values("flight_id")
    assert published.version == content_version(
        pa.Table.from_pandas(made, preserve_index=False).replace_schema_metadata(None)
    )
    assert rename_predictions(lake, "predictions", ("flight_id", "scheduled_at"))
    assert "unchanged" in score(PIPELINE, DAY, settings, "run").headline
    assert predictions(settings)["airloom_score"].between(0, 1).all()
    shutil.rmtree(lake.path("predictions"))
    score(PIPELINE, DAY, settings, "run")
    assert lake.partitions("predictions")[DAY] == published


def test_a_sink_that_cannot_be_reached_keeps_no_prediction_from_the_lake(settings, champion, tmp_path):
    away = dataclasses.replace(settings, predictions_url="postgresql+psycopg://ann:planted@127.0.0.1:1/p")
    with pytest.raises(SetupError, match="database for predictions cannot be reached"):
        score(COPIED, DAY, away, "run")
    back = dataclasses.replace(settings, predictions_url=f"sqlite:///{tmp_path}/predictions.db")
    assert "scored before, unchanged; 1 day copied" in score(COPIED, DAY, back, "run").headline


def test_no_key_may_have_the_name_of_a_column_that_predictions_get(settings, champion):
    score(PIPELINE, DAY, settings, "run")
    table = PIPELINE.tables["schedule"]
    for column in predictions(settings).columns.difference([*table.key, table.time]):
        declared = PIPELINE.model_dump(mode="json")
        declared["tables"]["schedule"]["key"] = [column]
        with pytest.raises(ValidationError, match=f"'{column}' is a column that Airloom adds"):
            Pipeline.model_validate(declared)


def test_features_that_a_correction_has_made_stale_are_healed_before_they_are_scored_with(settings, champion):
    publish_raw(settings, "flights", DAY, flights(DAY, delay=99.0))
    scored = score(PIPELINE, DAY, settings, "run")
    assert "features of 1 day healed" in scored.headline
    assert {"features.origin_delays", "online.origin_delays"} <= {each.name for each in scored.outputs}
    assert compute(PIPELINE, DAY, settings).changed == 0
    assert scored.compared > 0
    assert not lake_of(settings).partitions("predictions")[DAY].degraded


def test_features_that_cannot_be_healed_are_missing_and_the_predictions_degraded(settings, champion, monkeypatch):
    for day in (YESTERDAY, DAY):
        score(PIPELINE, day, settings, "before")
    before, read = lake_of(settings).partitions("predictions"), FeatureInputs.read
    twice = "SELECT unnest(['N0', 'N0']) AS tailnum, 1 AS plane_seats FROM planes GROUP BY ALL"

    def with_sql(pipeline, settings, lake=None):
        inputs = read(pipeline, settings, lake)
        return dataclasses.replace(inputs, sql={**inputs.sql, "plane": twice})

    monkeypatch.setattr(FeatureInputs, "read", with_sql)
    scored = score(PIPELINE, DAY, settings, "run")
    assert "features of 2 days refused" in scored.headline
    assert rows_to_score(PIPELINE, DAY, settings)["plane__plane_seats"].isna().all()
    after = lake_of(settings).partitions("predictions")
    assert (after[DAY].degraded, before[DAY].degraded) == (True, False)
    assert after[YESTERDAY] == before[YESTERDAY]
    monkeypatch.setattr(FeatureInputs, "read", read)
    score(PIPELINE, DAY, settings, "run")
    assert lake_of(settings).partitions("predictions") == before
