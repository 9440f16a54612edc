"""The population stability index, against a second one that is written down plainly."""

import math
from collections import Counter

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airloom.steps.drift import population_stability

RANDOM = np.random.default_rng(3)
NORMAL = RANDOM.normal(size=2000)


def index(reference, current):
    return population_stability(pd.DataFrame({"x": reference}), pd.DataFrame({"x": current}), ["x"])["x"]


def plain(reference, current, bin_of):
    """Sum (a - b) ln(a / b) over the bins; a bin without rows counts as one of 10,000."""
    bins = [Counter(map(bin_of, values)) for values in (reference, current)]
    total = 0.0
    for each in set(bins[0]) | set(bins[1]):
        a, b = max(bins[0][each] / len(reference), 1e-4), max(bins[1][each] / len(current), 1e-4)
        total += (a - b) * math.log(a / b)
    return total


def test_numbers_are_compared_by_the_deciles_of_the_reference():
    ordered = sorted(NORMAL)
    ends = [ordered[math.floor(tenth / 10 * (len(ordered) - 1))] for tenth in range(1, 10)]
    current = RANDOM.normal(0.3, 1.2, size=1500)
    expected = plain(NORMAL, current, lambda value: sum(value >= end for end in ends))
    assert index(NORMAL, current) == pytest.approx(expected)


def test_words_are_compared_one_by_one_and_unseen_ones_together():
    reference, current = ["UA"] * 50 + ["B6"] * 30 + ["WN"] * 20, ["UA"] * 20 + ["B6"] * 30 + ["AA"] * 25 + ["DL"] * 25
    expected = plain(reference, current, lambda word: word if word in reference else "unseen")
    assert index(reference, current) == pytest.approx(expected)


@pytest.mark.parametrize(
    "values",
    [
        NORMAL,
        np.arange(50),
        np.zeros(30),
        [True, False, False],
        [True, None, False],
        ["UA", "B6", None, "UA"],
        [None, None],
        [np.nan, np.nan],
        [1.0, np.nan, 3.0],
        [-np.inf, 0.0, np.inf],
        pd.Series([], dtype=float),
        pd.Series([], dtype=object),
        pd.Categorical(["UA", "B6"]),
    ],
)
def test_the_same_data_has_not_drifted(values):
    assert index(values, values) == 0


VALUES = st.floats(-5, 5).map(lambda value: round(value, 1)) | st.just(math.nan)


@given(st.lists(VALUES, min_size=1), st.lists(VALUES, min_size=1), st.randoms(use_true_random=False))
def test_the_order_of_the_rows_changes_nothing(reference, current, random):
    shuffled = [random.sample(values, len(values)) for values in (reference, current)]
    assert index(*shuffled) == index(reference, current)


@given(st.lists(st.integers(0, 60).map(str), min_size=30), st.randoms(use_true_random=False))
def test_the_order_of_words_changes_nothing_even_where_many_are_equally_frequent(words, random):
    current = words[: len(words) // 2]
    assert index(random.sample(words, len(words)), current) == index(words, current)


@given(st.lists(VALUES, min_size=1), st.lists(VALUES, min_size=1))
def test_drift_is_a_finite_number_and_never_negative(reference, current):
    assert 0 <= index(reference, current) < math.inf


def test_other_rows_of_the_same_kind_have_hardly_drifted():
    assert index(NORMAL, RANDOM.normal(size=2000)) < 0.05


@pytest.mark.parametrize(
    ("reference", "current"),
    [
        (NORMAL, NORMAL + 1),
        (NORMAL, NORMAL * 3),
        (np.arange(1000), np.arange(1000) + 400),
        (np.zeros(100), np.full(100, 5.0)),
        (np.zeros(100), np.full(100, -5.0)),
        (np.repeat([0, 1], [97, 3]), np.repeat([0, 1], [60, 40])),
        ([True] * 10 + [False] * 90, [True] * 60 + [False] * 40),
        ([True] * 10 + [False] * 90, [True] * 60 + [None] * 40),
        (np.ones(100), np.repeat([1.0, np.nan], [60, 40])),
        (np.full(100, np.nan), np.ones(100)),
        (np.ones(100), [None] * 100),
        ([None] * 100, ["UA"] * 100),
        (["UA"] * 100, ["unheard of"] * 100),
        (["UA"] * 100, [None] * 100),
        (np.ones(100), ["one"] * 100),
        (["one"] * 100, np.ones(100)),
    ],
)
def test_a_column_that_has_shifted_is_found(reference, current):
    assert index(reference, current) > 0.25


def test_every_column_has_its_own_index():
    before = pd.DataFrame({"same": np.arange(100), "shifted": np.arange(100)})
    now = pd.DataFrame({"shifted": np.arange(100) + 60, "same": np.arange(100)[::-1]})
    found = population_stability(before, now, ["same", "shifted"])
    assert (found["same"], found["shifted"] > 0.25) == (0, True)


def test_many_rare_words_are_one_bin():
    reference = [f"N{number}" for number in range(3000)]
    assert index(reference, reference[1500:] * 2) < 0.25
