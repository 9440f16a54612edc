"""Boosting libraries: their estimators of scikit-learn's kind, alone and within others, and their own Boosters."""

import lightgbm
import numpy as np
import pandas as pd
import pytest
import xgboost
from sklearn.calibration import CalibratedClassifierCV
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline

from airloom.core.errors import DataError
from airloom.flavours.flavour import Target
from airloom.flavours.registry import as_model

BINARY, REGRESSION = Target("binary"), Target("regression")


@pytest.fixture(scope="module")
def numbers(frame):
    return frame[["a", "b"]]


@pytest.mark.parametrize(
    "model",
    [
        lightgbm.LGBMClassifier(n_estimators=5, min_child_samples=5, verbose=-1),
        xgboost.XGBClassifier(n_estimators=5),
        make_pipeline(SimpleImputer().set_output(transform="pandas"), xgboost.XGBClassifier(n_estimators=5)),
        CalibratedClassifierCV(lightgbm.LGBMClassifier(n_estimators=5, min_child_samples=5, verbose=-1), cv=2),
    ],
    ids=["lightgbm", "xgboost", "in a pipeline", "calibrated"],
)
def test_an_estimator_of_a_boosting_library_is_kept(model, numbers, frame, label, kept):
    model.fit(numbers, label)
    expected = model.predict_proba(numbers)[:, 1]
    assert np.ptp(expected) > 0.1
    np.testing.assert_array_equal(kept(model, BINARY).predict(frame), expected)


def test_categories_of_lightgbm_are_told_apart_as_in_training(frame, label, kept):
    def categories(rows):
        return rows.assign(word=pd.Categorical(rows["word"], ["x", "y", "z"]))

    model = lightgbm.LGBMRegressor(n_estimators=5, min_child_samples=5, verbose=-1)
    model.fit(categories(frame), label + (frame["word"] == "x"))
    with pytest.raises(DataError, match="cannot predict these rows"):
        kept(model, REGRESSION)  # The frame holds words; what makes categories of them is not part of the model.


def lightgbm_booster(numbers, label, objective):
    options = {"objective": objective, "verbose": -1, "min_data_in_leaf": 5}
    return lightgbm.train(options, lightgbm.Dataset(numbers, label), 5)


def xgboost_booster(numbers, label, objective):
    return xgboost.train({"objective": objective}, xgboost.DMatrix(numbers, label), 5)


@pytest.mark.parametrize(
    ("train", "objectives"),
    [
        (lightgbm_booster, ("binary", "regression", "multiclass")),
        (xgboost_booster, ("binary:logistic", "reg:squarederror", "multi:softprob")),
    ],
)
@pytest.mark.parametrize("named", [True, False], ids=["by name", "by place"])
def test_a_booster_predicts_what_its_objective_gives(train, objectives, named, frame, numbers, label, kept):
    for objective, target in zip(objectives[:2], (BINARY, REGRESSION), strict=True):
        booster = train(numbers if named else numbers.to_numpy(), label, objective)
        model = as_model(booster, target)
        predictions = model.predict(frame if named else numbers)
        assert predictions.shape == label.shape
        assert ((predictions > 0.5) == label).mean() > 0.9
    if named:
        booster = train(numbers, label, objectives[0])
        np.testing.assert_array_equal(kept(booster, BINARY).predict(frame), as_model(booster, BINARY).predict(frame))


def test_a_booster_on_columns_that_are_no_inputs_says_so(frame, numbers, label):
    model = as_model(lightgbm_booster(numbers.rename(columns={"b": "made"}), label, "binary"), BINARY)
    with pytest.raises(DataError, match="columns that are no inputs: made"):
        model.predict(frame)
