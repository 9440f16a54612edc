import numpy as np
import pandas as pd
import pytest

from airloom.core.errors import GateError, NotDue, Unavailable
from airloom.core.records import Chosen, Evaluation
from airloom.steps import columns, score
from airloom.steps.prove import _score_rows_of as score_rows_of
from airloom.steps.prove import prove, prove_choice, prove_version
from airloom.stores import model_files
from airloom.stores.tracking import open_client
from tests.worlds import candidates, registered
from tests.worlds.nights import COLUMNS, NIGHT, example_rows, pipeline_with

PIPELINE = pipeline_with()
CHOSEN = Chosen(
    pipeline="late", partition=NIGHT, headline="", action="rollback", version=3, epoch=1, actor="ann", reason="why"
)


@pytest.fixture
def settings(registry_settings):
    return registry_settings


@pytest.fixture
def day(monkeypatch):
    """Rows of the day, without a lake."""
    rows = pd.DataFrame({"carrier_delays__late_rate": np.linspace(0, 1, 300), "distance": np.arange(300.0)})
    monkeypatch.setattr(columns, "input_columns", lambda pipeline, settings: list(rows))
    monkeypatch.setattr(score, "rows_to_score", lambda pipeline, day, settings: rows)
    return rows


def evaluation(version):
    facts = {"pipeline": "late", "partition": NIGHT, "headline": "", "rows": 240, "metrics": {}}
    digests = {"training_digest": "t", "rows_digest": "r"}
    return Evaluation(challenger="rate", challenger_version=version, champion_version=None, **facts, **digests)


def test_a_version_is_proven_by_what_it_predicted_in_training(settings):
    proven = prove(PIPELINE, NIGHT, evaluation(3), settings)
    assert proven.headline == "version 3 is what was trained: 500 rows predicted the same"
    assert (proven.proof.rows, proven.proof.difference, proven.proof.problem) == (500, 0.0, None)
    assert proven.proof.artifact_bytes == len("[1.0, false]")
    assert proven.proof.load_seconds > 0
    assert proven.proof.rows_per_second > 0


def test_a_version_that_is_not_there_is_a_problem_for_the_gate_and_no_error(settings):
    registered.delete(settings, 3)
    assert prove_version(PIPELINE, 3, settings).problem.startswith("late has no version 3.")


def test_a_database_that_is_away_for_a_while_is_no_proof_that_a_version_cannot_serve(settings, day):
    state = settings.var / "state"
    open_client(settings)
    state.rename(settings.var / "away")
    for ask in (prove_version, lambda pipeline, _version, here: score_rows_of(pipeline, CHOSEN, here)):
        with pytest.raises(Unavailable, match="does not do MLflow's work"):
            ask(PIPELINE, 3, settings)
    (settings.var / "away").rename(state)
    assert prove_version(PIPELINE, 3, settings).problem is None


def test_files_that_were_changed_are_never_loaded(settings):
    open_client(settings).set_model_version_tag("late", "3", "airloom.manifest", "another sum")
    assert "not the ones that were registered; nothing was loaded" in prove_version(PIPELINE, 3, settings).problem


def test_a_version_that_predicts_other_values_than_in_training_cannot_serve(settings, monkeypatch):
    monkeypatch.setattr(candidates.ByRate, "load", classmethod(lambda cls, folder: cls(0.5)))
    problem = prove_version(PIPELINE, 3, settings).problem
    assert problem.startswith("predictions differ by up to 0.5")


def test_a_version_whose_code_fails_cannot_serve(settings, monkeypatch):
    def load(cls, folder):
        raise ZeroDivisionError("a class of last year")

    monkeypatch.setattr(candidates.ByRate, "load", classmethod(load))
    problem = prove_version(PIPELINE, 3, settings).problem
    assert "ZeroDivisionError at tests/steps/test_prove.py, line " in problem
    assert "last year" not in problem


def test_a_model_that_was_kept_without_sample_rows_cannot_be_proven(tmp_path):
    rows = example_rows()[COLUMNS.all]
    manifest_sum = model_files.write_model(registered.MODEL, tmp_path / "model", rows)
    model_files.verify(tmp_path / "model", manifest_sum)
    frame, outputs = model_files.read_sample(tmp_path / "model")
    pd.testing.assert_frame_equal(frame, rows.head(500))
    np.testing.assert_array_equal(outputs, registered.MODEL.predict(rows.head(500)))


def test_a_chosen_version_also_scores_rows_of_the_day(settings, day):
    found = prove_choice(PIPELINE, CHOSEN, settings)
    assert found.rows == 200
    assert found.headline.endswith("500 rows predicted the same; scored 200 rows of 2024-01-10")


def test_a_chosen_version_that_cannot_score_the_day_is_refused(settings, day):
    day.drop(columns="distance", inplace=True)
    with pytest.raises(GateError, match="cannot score the rows") as refused:
        prove_choice(PIPELINE, CHOSEN, settings)
    assert "KeyError at tests/worlds/candidates.py, line " in refused.value.found


def test_a_chosen_version_whose_scores_are_not_finite_is_refused(settings, day):
    day["carrier_delays__late_rate"] = np.nan
    with pytest.raises(GateError, match="cannot score the rows") as refused:
        prove_choice(PIPELINE, CHOSEN, settings)
    assert "200 of 200 values missing or NaN" in refused.value.found


def test_a_chosen_version_that_cannot_serve_is_refused(settings, day):
    registered.delete(settings, 3)
    with pytest.raises(GateError, match="Version 3 cannot serve"):
        prove_choice(PIPELINE, CHOSEN, settings)


def test_a_day_without_rows_only_proves_that_the_version_is_what_was_trained(settings, day, monkeypatch):
    def none(pipeline, day, settings):
        raise NotDue("nothing")

    monkeypatch.setattr(score, "rows_to_score", none)
    assert prove_choice(PIPELINE, CHOSEN, settings).rows == 0
