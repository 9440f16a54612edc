import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn import metrics

from airloom.core.metrics import METRICS, metrics_of
from airloom.steps.weighted_metrics import WEIGHTED, plain, weighted

BINARY = {
    "roc_auc": metrics.roc_auc_score,
    "average_precision": metrics.average_precision_score,
    "neg_log_loss": lambda label, scores, **weights: -metrics.log_loss(label, scores, **weights),
    "neg_brier_score": lambda label, scores, **weights: -metrics.brier_score_loss(label, scores, **weights),
    "accuracy": lambda label, scores, **weights: metrics.accuracy_score(label, scores > 0.5, **weights),
    "balanced_accuracy": lambda label, scores, **weights: metrics.balanced_accuracy_score(
        label, scores > 0.5, **weights
    ),
    "f1": lambda label, scores, **weights: metrics.f1_score(label, scores > 0.5, zero_division=0, **weights),
}
CLASSES = range(3)
MULTICLASS = {
    "roc_auc_ovr": lambda label, scores, **weights: metrics.roc_auc_score(label, scores, multi_class="ovr", **weights),
    "neg_log_loss": lambda label, scores, **weights: -metrics.log_loss(label, scores, labels=CLASSES, **weights),
    "accuracy": lambda label, scores, **weights: metrics.accuracy_score(label, scores.argmax(axis=1), **weights),
    "balanced_accuracy": lambda label, scores, **weights: metrics.balanced_accuracy_score(
        label, scores.argmax(axis=1), **weights
    ),
    "f1_macro": lambda label, scores, **weights: metrics.f1_score(
        label, scores.argmax(axis=1), average="macro", **weights
    ),
}
REGRESSION = {
    "neg_mean_absolute_error": lambda label, scores, **weights: -metrics.mean_absolute_error(label, scores, **weights),
    "neg_mean_squared_error": lambda label, scores, **weights: -metrics.mean_squared_error(label, scores, **weights),
    "neg_root_mean_squared_error": lambda label, scores, **weights: (
        -metrics.root_mean_squared_error(label, scores, **weights)
    ),
    "r2": metrics.r2_score,
}


def rows(label, score):
    return st.lists(st.tuples(label, score, st.integers(0, 4)), min_size=3, max_size=40)


def columns(drawn):
    return (np.array(column, dtype=float) for column in zip(*drawn, strict=True))


def once(metric, label, scores, weights):
    return WEIGHTED[metric](label, scores, weights[None])[0]


def test_every_metric_that_can_be_declared_can_be_computed():
    assert set(WEIGHTED) == set(METRICS)


@pytest.mark.parametrize("reference", [BINARY, MULTICLASS, REGRESSION])
def test_every_metric_but_the_calibration_error_is_checked_against_scikit_learn(reference):
    kind = {id(BINARY): "binary", id(MULTICLASS): "multiclass", id(REGRESSION): "regression"}[id(reference)]
    assert {*metrics_of(kind)} - {"expected_calibration_error"} == set(reference)


@pytest.mark.parametrize("metric", BINARY)
@settings(max_examples=60, deadline=None)
@given(drawn=rows(st.booleans(), st.integers(1, 9)))
def test_binary_metrics_are_scikit_learns(metric, drawn):
    label, scores, weights = columns(drawn)
    label[:2], weights[:2] = (0.0, 1.0), 1.0
    expected = BINARY[metric](label, scores / 10, sample_weight=weights)
    assert once(metric, label, scores / 10, weights) == pytest.approx(expected)


@pytest.mark.parametrize("metric", MULTICLASS)
@settings(max_examples=60, deadline=None)
@given(drawn=rows(st.integers(0, 2), st.tuples(*[st.integers(1, 9)] * 3)))
def test_multiclass_metrics_are_scikit_learns(metric, drawn):
    label, scores, weights = columns(drawn)
    scores = scores / scores.sum(axis=1, keepdims=True)
    label[:3], weights[:3] = (0.0, 1.0, 2.0), 1.0
    expected = MULTICLASS[metric](label, scores, sample_weight=weights)
    assert once(metric, label, scores, weights) == pytest.approx(expected)


@pytest.mark.parametrize("metric", REGRESSION)
@settings(max_examples=60, deadline=None)
@given(drawn=rows(st.integers(-50, 50), st.integers(-50, 50)))
def test_regression_metrics_are_scikit_learns(metric, drawn):
    label, scores, weights = columns(drawn)
    weights[:2] = 1.0
    assume(np.unique(label[weights > 0]).size > 1)
    expected = REGRESSION[metric](label, scores, sample_weight=weights)
    assert once(metric, label, scores, weights) == pytest.approx(expected, abs=1e-9)


def test_a_sample_with_one_label_only_has_no_area():
    assert np.isnan(once("roc_auc", np.array([0.0, 1.0]), np.array([0.2, 0.8]), np.array([1.0, 0.0])))


def test_the_calibration_error_is_how_far_confidence_lies_from_what_happened():
    label, scores = np.array([0.0, 0.0, 1.0, 1.0]), np.array([0.25, 0.25, 0.95, 0.95])
    assert plain("expected_calibration_error", label, scores) == pytest.approx((0.25 + 0.05) / 2)
    sure = np.array([[0.9, 0.05, 0.05], [0.9, 0.05, 0.05]])
    assert plain("expected_calibration_error", np.array([0.0, 1.0]), sure) == pytest.approx(0.4)


@pytest.mark.parametrize("metric", ["roc_auc", "neg_log_loss", "average_precision", "f1"])
@given(st.integers(0, 10_000))
@settings(deadline=None, max_examples=30)
def test_within_groups_a_metric_is_that_of_each_averaged_by_its_rows(metric, seed):
    random = np.random.default_rng(seed)
    groups, label = random.integers(0, 4, 40), (random.random(40) < 0.4).astype(float)
    scores, weights = random.random(40), random.integers(0, 2, (5, 40)).astype(float)
    found = weighted(metric, groups)(label, scores, weights)
    for value, some in zip(found, weights, strict=True):
        parts = [(groups == group) & (some > 0) for group in range(4)]
        each = [(plain(metric, label[part], scores[part]), part.sum()) for part in parts if part.any()]
        known = [(value, rows) for value, rows in each if np.isfinite(value)]
        values, rows = zip(*known, strict=True) if known else ((np.nan,), (1,))
        expected = np.average(values, weights=rows)
        assert value == pytest.approx(expected, nan_ok=True)


def test_what_makes_whole_groups_likely_is_nothing_within_them():
    groups = np.repeat([0, 1], 100)
    label = np.random.default_rng(3).random(200) < np.where(groups == 1, 0.8, 0.2)
    scores = np.where(groups == 1, 0.8, 0.2)
    assert plain("roc_auc", label.astype(float), scores) > 0.7
    assert plain("roc_auc", label.astype(float), scores, groups) == 0.5
