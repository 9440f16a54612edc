import numpy as np
import pytest
from sklearn import metrics

from airloom.core.metrics import metrics_of
from airloom.steps.resampling import paired_differences


def planted(seed, rows=400):
    random = np.random.default_rng(seed)
    label = (random.random(rows) < 0.3).astype(float)
    return label, random.random(rows), random.random(rows)


def test_the_same_seed_draws_the_same_samples():
    first, second = (paired_differences("roc_auc", *planted(1), samples=120, seed=3) for _ in range(2))
    assert np.array_equal(first, second)
    assert not np.array_equal(first, paired_differences("roc_auc", *planted(1), samples=120, seed=4))


BINARY = metrics_of("binary")


@pytest.mark.parametrize("metric", BINARY)
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
