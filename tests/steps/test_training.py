"""What a candidate is given to learn from, and to validate itself by honestly."""

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest

from airloom.core.pipeline import Pipeline
from airloom.steps.columns import ModelColumns
from airloom.steps.examples import DAY
from airloom.steps.training import train
from airloom.steps.training_sets import Rows
from tests.worlds.installation import declaration

FIRST = date(2024, 3, 1)
LOOKS = {"key": ["customer", "look"], "time": "at", "known_at": "at", "expectations": "none.yaml"}


class Mean:
    """Predicts the mean of the label."""

    def __init__(self, value):
        self.value = value

    def predict(self, frame):
        return np.full(len(frame), self.value)

    def save(self, folder):
        raise AssertionError("nobody keeps it")

    load = save


def learned(key=("customer", "look"), **train_section):
    """Train on two looks at each of three customers and return what the candidate was given."""
    candidates = {"one": {"fit": "none:none"}}
    pipeline = Pipeline.model_validate(
        declaration(
            "churn",
            tables={"looks": {**LOOKS, "key": list(key)}},
            features={"module": "none", "views": {"v": {"reads": "looks", "window": "7d", "sql": "v.sql"}}},
            label={"table": "looks", "column": "left", "horizon": "1d"},
            train={"window": "5d", "holdout": "2d", "inputs": {}, "candidates": candidates, **train_section},
            score={"entities": "looks"},
        )
    )
    days = [FIRST, FIRST + timedelta(days=1)]
    frame = pd.DataFrame(
        {
            "customer": ["cas", "ann", "bob"] * 2,
            "look": np.repeat([day.isoformat() for day in days], 3),
            DAY: np.repeat(days, 3),
            "visits": [1.0, 2.0, 3.0] * 2,
            "left": [0.0, 1.0, 0.0] * 2,
        }
    )
    given = []

    def fit(data, params, log):
        given.append(data)
        return Mean(data.label.mean())

    train(pipeline, "one", fit, Rows(frame, ModelColumns(categorical=(), numeric=("visits",)), "digest"), None)
    return given[0]


def test_a_candidate_knows_the_scored_day_of_every_row():
    assert list(learned().day) == [np.datetime64("2024-03-01")] * 3 + [np.datetime64("2024-03-02")] * 3


@pytest.mark.parametrize("key", [("customer", "look"), ("customer",)])
def test_rows_of_one_entity_are_one_group_whatever_the_day(key):
    assert list(learned(key).groups) == [2, 0, 1, 2, 0, 1]


def test_rows_count_the_same_unless_a_weight_is_declared():
    assert list(learned().weight) == [1.0] * 6
    assert list(learned(weight="visits").weight) == [1.0, 2.0, 3.0] * 2
