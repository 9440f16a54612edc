import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from airloom.core.metrics import METRICS
from airloom.steps.resampling import WEIGHTED, paired_differences

REFERENCE = {
    "roc_auc": metrics.roc_auc_score,
    "average_precision": metrics.average_precision_score,
    "log_loss": metrics.log_loss,
    "brier": metrics.brier_score_loss,
}


def test_every_metric_that_the_evaluator_produces_can_be_resampled():
    assert set(WEIGHTED) == set(METRICS)


@pytest.mark.parametrize("metric", WEIGHTED)
@settings(max_examples=60, deadline=None)
@given(
    rows=st.lists(st.tuples(st.booleans(), st.integers(1, 9), st.integers(0, 4)), min_size=2, max_size=40),
    seed=st.integers(0, 9),
)
def test_weighted_metrics_are_scikit_learns(metric, rows, seed):
    label, scores, weights = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    label[:2], weights[:2] = (0.0, 1.0), 1.0
    expected = REFERENCE[metric](label, scores / 10, sample_weight=weights)
    assert WEIGHTED[metric](label, scores / 10, weights[None])[0] == pytest.approx(expected)


def planted(seed, rows=400):
    random = np.random.default_rng(seed)
    label = (random.random(rows) < 0.3).astype(float)
    return label, random.random(rows), random.random(rows)


def test_the_same_seed_draws_the_same_samples():
    first, second = (paired_differences("roc_auc", *planted(1), samples=120, seed=3) for _ in range(2))
    assert np.array_equal(first, second)
    assert not np.array_equal(first, paired_differences("roc_auc", *planted(1), samples=120, seed=4))


@pytest.mark.parametrize("metric", WEIGHTED)
def test_a_model_differs_from_itself_in_no_sample(metric):
    label, scores, _ = planted(1)
    assert not paired_differences(metric, label, scores, scores, samples=60, seed=1).any()


def test_samples_agree_with_scikit_learn_row_by_row():
    label, mine, theirs = planted(2)
    random = np.random.default_rng(5)
    drawn = random.integers(0, len(label), size=(30, len(label)))
    expected = [
        metrics.roc_auc_score(label[some], mine[some]) - metrics.roc_auc_score(label[some], theirs[some])
        for some in drawn
    ]
    assert paired_differences("roc_auc", label, mine, theirs, samples=30, seed=5) == pytest.approx(expected)
