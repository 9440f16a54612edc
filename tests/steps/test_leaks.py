"""Columns that know the label are found by name; honest ones, however good, are not."""

import numpy as np
import pandas as pd
import pytest

from airloom.core.pipeline import Label
from airloom.steps.columns import ModelColumns
from airloom.steps.leaks import find_leaks

BINARY = Label(table="t", column="late", horizon="1d")
CLASSES = Label(table="t", column="late", horizon="1d", kind="multiclass", classes=("a", "b", "c"))
NUMBER = Label(table="t", column="late", horizon="1d", kind="regression")
ROWS = 400


@pytest.fixture
def random():
    return np.random.default_rng(1)


def leaks(frame, label=BINARY, categorical=()):
    numeric = tuple(name for name in frame if name not in (*categorical, "late"))
    found = find_leaks(frame, ModelColumns(categorical=categorical, numeric=numeric), label)
    return [(each.column, each.sign) for each in found]


def test_honest_columns_are_no_leaks(random):
    late = (random.random(ROWS) < 0.2).astype(float)
    good = late + random.normal(0, 0.6, ROWS)  # area under the curve 0.88
    holes = np.where(random.random(ROWS) < 0.3, np.nan, random.normal(size=ROWS))
    words = random.choice(["UA", "B6", None], ROWS)
    assert (
        leaks(pd.DataFrame({"good": good, "holes": holes, "words": words, "late": late}), categorical=("words",)) == []
    )


@pytest.mark.parametrize("sign", [1, -1])
def test_a_column_that_is_the_label_in_disguise_is_found(random, sign):
    late = (random.random(ROWS) < 0.2).astype(float)
    frame = pd.DataFrame({"known": sign * (late * 10 + random.normal(size=ROWS)), "late": late})
    assert leaks(frame) == [("known", "separation")]


def test_a_category_that_is_the_label_is_found_and_one_that_is_of_one_row_is_not(random):
    late = (random.random(ROWS) < 0.5).astype(float)
    frame = pd.DataFrame(
        {"id": [f"r{row}" for row in range(ROWS)], "status": np.where(late, "left", "stays"), "late": late}
    )
    assert leaks(frame, categorical=("id", "status")) == [("status", "separation")]


def test_few_rows_of_a_class_prove_nothing(random):
    late = np.zeros(ROWS)
    late[:19] = 1
    assert leaks(pd.DataFrame({"known": late, "late": late})) == []


def test_one_class_against_the_rest(random):
    code = random.integers(0, 3, ROWS).astype(float)
    assert leaks(pd.DataFrame({"second": (code == 1) * 1.0, "late": code}), CLASSES) == [("second", "separation")]


def test_a_number_that_is_ordered_as_the_label_is_found(random):
    late = random.lognormal(size=ROWS)
    frame = pd.DataFrame({"known": np.log(late), "good": late + random.normal(0, 1, ROWS), "late": late})
    assert leaks(frame, NUMBER) == [("known", "separation")]


@pytest.mark.parametrize("label", [BINARY, NUMBER])
def test_values_that_are_no_numbers_are_left_to_the_candidate(random, label):
    late = (random.random(ROWS) < 0.2).astype(float)
    endless = np.where(random.random(ROWS) < 0.5, np.inf, random.normal(size=ROWS))
    assert leaks(pd.DataFrame({"endless": endless, "words": ["many"] * ROWS, "late": late}), label) == []


@pytest.mark.parametrize("label", [BINARY, NUMBER])
def test_a_column_that_is_missing_where_the_label_is_another_is_found(random, label):
    late = (random.random(ROWS) < 0.2) * 1.0 if label is BINARY else random.normal(size=ROWS)
    profile = np.where((late > 0.5) & (random.random(ROWS) < 0.6), np.nan, random.normal(size=ROWS))
    assert leaks(pd.DataFrame({"profile": profile, "late": late}), label) == [("profile", "missingness")]
