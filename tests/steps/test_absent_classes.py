"""A declared class that a training window lacks has the probability 0, in the declared order, also once loaded."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from airloom.core.errors import DataError
from airloom.core.pipeline import Pipeline
from airloom.steps.evaluate import evaluate
from airloom.steps.fit import fit
from airloom.steps.outputs import from_columns, predicted
from airloom.steps.training import train
from airloom.steps.training_sets import SPLIT, read_rows
from airloom.stores.absent_classes import WithAbsentClasses
from airloom.stores.model_files import read_model, write_model
from airloom.stores.models import ModelRegistry
from tests.worlds.candidates import SharesOfTheSeen, shares_of_the_seen
from tests.worlds.installation import settings_at
from tests.worlds.nights import NIGHT, declaration_with, example_rows, training_set

CLASSES = ("a", "b", "c", "d")


def graded():
    candidates = {
        "shares": {"fit": "tests.worlds.candidates:shares_of_the_seen"},
        "linear": {"fit": "airloom.steps.baselines:linear"},
    }
    declared = declaration_with(**candidates)
    declared["label"] |= {"kind": "multiclass", "classes": CLASSES}
    return Pipeline.model_validate({**declared, "gate": {"metric": "roc_auc_ovr", "cluster": "row"}})


def graded_rows():
    """The training rows lack b, the rows held out lack d."""
    rows = example_rows()
    far = rows["distance"] > 2000
    return rows.assign(late=np.where(rows[SPLIT] == "train", np.where(far, 3.0, 0.0), np.where(far, 2.0, 1.0)))


def test_a_night_goes_on_without_a_class(tmp_path):
    settings, pipeline = settings_at(tmp_path), graded()
    rows = graded_rows().assign(late=lambda rows: rows["late"].replace({2.0: 3.0, 1.0: 0.0}))
    training = training_set(pipeline, settings, rows)
    fitted = [fit(pipeline, NIGHT, name, training, settings) for name in pipeline.train.candidates]
    evaluation = evaluate(pipeline, NIGHT, training, fitted, None, settings)
    assert evaluation.left_out == {}
    assert evaluation.metrics["shares"]["roc_auc_ovr"] == pytest.approx(0.5)
    assert evaluation.metrics["linear"]["roc_auc_ovr"] > 0.9
    model = ModelRegistry(settings, "late").load(evaluation.challenger_version)
    held_out = read_rows(training, "holdout", settings)
    outputs = predicted(pipeline.label, model, held_out.inputs, "Version 1")
    np.testing.assert_array_equal(outputs[:, [1, 2]], 0)
    results = pd.read_parquet(settings.training / evaluation.results)
    np.testing.assert_array_equal(from_columns(pipeline.label, "challenger", results), outputs)


def test_classes_that_only_the_held_out_rows_have_are_judged_by_what_was_predicted_for_them(tmp_path):
    settings, pipeline = settings_at(tmp_path), graded()
    training = training_set(pipeline, settings, graded_rows())
    fitted = [fit(pipeline, NIGHT, "shares", training, settings)]
    metrics = evaluate(pipeline, NIGHT, training, fitted, None, settings).metrics["shares"]
    assert metrics["accuracy"] == 0
    assert metrics["roc_auc_ovr"] == pytest.approx(0.5)


def test_what_is_filled_is_saved_and_loaded_with_its_model(tmp_path):
    model = WithAbsentClasses(SharesOfTheSeen((0.25, 0.75)), ("a", "c"), CLASSES)
    frame = pd.DataFrame({"x": [1.0, 2.0, 3.0]})
    loaded = read_model(tmp_path / "model", write_model(model, tmp_path / "model", frame))
    np.testing.assert_array_equal(loaded.predict(frame), [[0.25, 0, 0.75, 0]] * 3)


class Returns:
    def __init__(self, returned):
        self.returned = returned

    def predict(self, frame):
        return self.returned


@pytest.mark.parametrize(
    ("returned", "expected"),
    [
        ([[0.5, 0.5], [1, 0]], [[0.5, 0, 0.5, 0], [1, 0, 0, 0]]),
        (pd.DataFrame({"a": [0.5, 1], "c": [0.5, 0]}), [[0.5, 0, 0.5, 0], [1, 0, 0, 0]]),
        (pd.DataFrame([[0.5, 0.5], [1, 0]]), [[0.5, 0, 0.5, 0], [1, 0, 0, 0]]),
        (np.eye(4)[:2], np.eye(4)[:2]),
        (pd.DataFrame(np.eye(4)[:2], columns=list(CLASSES)), np.eye(4)[:2]),
        ([0.5, 0.5], "not probabilities"),
        (np.full((2, 3), 1 / 3), "not probabilities"),
        (pd.DataFrame({"c": [0.5, 1], "a": [0.5, 0]}), "columns are not the declared classes"),
        (pd.DataFrame({"a": [0.5, 1], "c": [0.5, 0]}, index=[1, 0]), "whose index is not that of the frame"),
        (np.ma.array([[0.5, 0.5], [1, 0]], mask=[[0, 1], [0, 0]]), "masked"),
        ([["secret", "x"], ["y", "z"]], "other values than numbers"),
    ],
)
def test_one_column_for_each_class_that_was_seen_is_taken_and_nothing_else(returned, expected):
    model, frame = WithAbsentClasses(Returns(returned), ("a", "c"), CLASSES), pd.DataFrame({"x": [1.0, 2.0]})
    if isinstance(expected, str):
        with pytest.raises(DataError) as refused:
            predicted(graded().label, model, frame, "One")
        assert expected in str(refused.value)
        assert "secret" not in str(refused.value)
    else:
        np.testing.assert_array_equal(predicted(graded().label, model, frame, "One"), expected)


def test_a_model_of_a_window_with_every_class_is_itself(tmp_path):
    settings, pipeline = settings_at(tmp_path), graded()
    rows = read_rows(training_set(pipeline, settings, graded_rows()), "train", settings)
    whole = replace(rows, frame=rows.frame.assign(late=np.arange(len(rows.frame)) % 4.0))
    assert isinstance(train(pipeline, "shares", shares_of_the_seen, whole, None).model, SharesOfTheSeen)
    assert isinstance(train(pipeline, "shares", shares_of_the_seen, rows, None).model, WithAbsentClasses)
