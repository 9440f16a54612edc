import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import log_loss, roc_auc_score

from airloom.core.errors import DataError, Unavailable
from airloom.core.metrics import metrics_of
from airloom.steps.evaluate import evaluate, evaluate_again, score_metrics
from airloom.steps.fit import fit
from airloom.stores.models import ModelRegistry
from airloom.stores.tracking import open_client
from tests.worlds.installation import settings_at
from tests.worlds.nights import COLUMNS, NIGHT, example_rows, pipeline_with, training_set

BINARY = metrics_of("binary")
RATE = {"fit": "tests.worlds.candidates:by_rate"}
FLAT = {"fit": "tests.worlds.candidates:by_rate", "params": {"share": 0.0}}
WILD = {"fit": "tests.worlds.candidates:wild_on_far_flights"}


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    return settings_at(tmp_path_factory.mktemp("evaluate"))


def night(settings, rows=None, **candidates):
    """Train candidates on one night; return what `evaluate` takes."""
    pipeline = pipeline_with(**(candidates or {"flat": FLAT, "rate": RATE}))
    training = training_set(pipeline, settings, rows)
    fitted = [fit(pipeline, NIGHT, name, training, settings) for name in pipeline.train.candidates]
    return pipeline, NIGHT, training, fitted


@pytest.fixture(scope="module")
def usual(settings):
    return night(settings)


def holdout(rows=None):
    rows = example_rows() if rows is None else rows
    return rows[rows["airloom_split"] == "holdout"]


def test_the_best_candidate_becomes_the_challenger(settings, usual):
    evaluation = evaluate(*usual, None, settings)
    assert evaluation.challenger == "rate"
    assert (evaluation.champion_version, evaluation.champion_problem) == (None, None)
    assert evaluation.metrics.keys() == {"flat", "rate"}
    info = ModelRegistry(settings, "late").version_info(evaluation.challenger_version)
    assert info.candidate == "rate"
    assert info.tags["airloom.rows_digest"] == evaluation.rows_digest


def test_metrics_are_those_of_the_holdout(settings, usual):
    rows = holdout()
    evaluation = evaluate(*usual, None, settings)
    metrics = evaluation.metrics["rate"]
    assert evaluation.rows == len(rows)
    assert metrics["roc_auc"] == pytest.approx(roc_auc_score(rows["late"], rows["carrier_delays__late_rate"]))
    assert metrics["neg_log_loss"] == pytest.approx(-log_loss(rows["late"], rows["carrier_delays__late_rate"]))
    logged = open_client(settings).get_run(usual[3][1].run_id).data.metrics
    assert {name: logged[f"holdout.{name}"] for name in BINARY} == pytest.approx(metrics)


def test_a_lower_metric_is_better_where_its_direction_says_so(settings, usual):
    pipeline, *rest = usual
    judged_by_loss = pipeline.model_copy(update={"gate": pipeline.gate.model_copy(update={"metric": "neg_log_loss"})})
    assert evaluate(judged_by_loss, *rest, None, settings).challenger == "rate"


def test_evaluating_again_registers_nothing_again(settings, usual):
    first, second = (evaluate(*usual, None, settings) for _ in range(2))
    assert first == second


def test_the_champion_is_scored_on_the_same_rows(settings, usual):
    version = evaluate(*usual, None, settings).challenger_version
    evaluation = evaluate(*night(settings, example_rows(seed=5)), version, settings)
    assert evaluation.champion_version == version
    assert evaluation.metrics["champion"] == evaluation.metrics["rate"]


@pytest.mark.parametrize("before", [None, "flat"])
def test_another_champion_is_scored_as_if_it_had_been_champion_at_once(settings, usual, before):
    flat = before and evaluate(*night(settings, flat=FLAT), None, settings).challenger_version
    rate = evaluate(*usual, None, settings).challenger_version
    expected = evaluate(*usual, rate, settings)
    rows = (settings.training / expected.results).read_bytes()
    assert evaluate_again(usual[0], evaluate(*usual, flat, settings), rate, settings) == expected
    assert (settings.training / expected.results).read_bytes() == rows


def test_without_its_rows_an_evaluation_is_not_done_again(settings, usual):
    evaluation = evaluate(*usual, None, settings)
    with pytest.raises(DataError, match="training set is not there any more"):
        evaluate_again(usual[0], evaluation.model_copy(update={"training_digest": "gone"}), 1, settings)
    with pytest.raises(DataError, match="results by row are not there any more"):
        evaluate_again(usual[0], evaluation.model_copy(update={"results": "gone.parquet"}), 1, settings)


def test_results_by_row_say_who_scored_what(settings, usual):
    version = evaluate(*usual, None, settings).challenger_version
    evaluation = evaluate(*usual, version, settings)
    results = pd.read_parquet(settings.training / evaluation.results)
    rows = holdout()
    assert list(results.columns) == [
        "flight_id",
        "partition",
        "late",
        "challenger",
        "champion",
        "constant",
        "linear",
    ]
    assert list(results["flight_id"]) == list(rows["flight_id"])
    np.testing.assert_array_equal(results["challenger"], rows["carrier_delays__late_rate"])
    np.testing.assert_array_equal(results["champion"], results["challenger"])


def test_the_same_rows_have_the_same_digest_and_others_another(settings, usual):
    expected = evaluate(*usual, None, settings).rows_digest
    assert evaluate(*night(settings, flat=FLAT), None, settings).rows_digest == expected
    assert evaluate(*night(settings, example_rows(seed=5)), None, settings).rows_digest != expected


def test_f26_a_champion_that_is_gone_has_no_metrics(settings, usual):
    evaluation = evaluate(*usual, 999, settings)
    assert evaluation.champion_version == 999
    assert evaluation.metrics["champion"] == dict.fromkeys(BINARY)
    assert "has no version 999" in evaluation.champion_problem


def test_a_database_that_is_away_for_a_while_is_not_taken_for_models_that_cannot_be_scored(settings, usual):
    state = settings.var / "state"
    state.rename(settings.var / "away")
    with pytest.raises(Unavailable, match="does not do MLflow's work"):
        evaluate(*usual, None, settings)
    (settings.var / "away").rename(state)
    assert evaluate(*usual, None, settings).challenger == "rate"


def test_f28_a_champion_that_cannot_score_the_new_columns_has_no_metrics(settings, usual):
    from airloom.steps.training_sets import write_training_set

    pipeline, partition, training, fitted = usual
    version = evaluate(*usual, None, settings).challenger_version
    narrower = COLUMNS.model_copy(update={"numeric": ("distance",)})
    digest, path = write_training_set(
        pipeline, NIGHT, example_rows().drop(columns="carrier_delays__late_rate"), narrower, settings
    )
    changed = training.model_copy(update={"digest": digest, "path": path})
    boosting = pipeline_with()
    fitted = [fit(boosting, NIGHT, "boosting", changed, settings)]
    evaluation = evaluate(boosting, partition, changed, fitted, version, settings)
    assert evaluation.metrics["champion"] == dict.fromkeys(BINARY)
    assert "KeyError" in evaluation.champion_problem


def test_f23_a_candidate_without_finite_scores_is_never_the_challenger(settings):
    rows = example_rows()
    rows.loc[rows.index[-1], "distance"] = 6000
    evaluation = evaluate(*night(settings, rows, wild=WILD, flat=FLAT), None, settings)
    assert evaluation.challenger == "flat"
    assert evaluation.metrics["wild"] == dict.fromkeys(BINARY)
    with pytest.raises(DataError, match="no candidate with a finite roc_auc"):
        evaluate(*night(settings, rows, wild=WILD), None, settings)


def test_without_any_candidate_there_is_nothing_to_judge(settings, usual):
    pipeline, partition, training, _ = usual
    with pytest.raises(DataError, match="no candidate with a finite roc_auc") as error:
        evaluate(pipeline, partition, training, [], None, settings)
    assert error.value.found == "no candidate that could be trained"


def test_f23_scores_that_are_not_finite_have_no_metrics():
    assert score_metrics("binary", np.array([0.0, 1.0]), np.array([0.5, np.inf])) == dict.fromkeys(BINARY)
