"""The metrics of the gate over weighted rows: one weight vector per bootstrap sample, all of them at once.

Definitions are those of scikit-learn with `sample_weight`: `roc_auc_score` is the probability that a late row is scored
above a punctual one, ties counting half; `average_precision_score` is the sum of precisions weighted by the increase in
recall; `log_loss` and `brier_score_loss` are means over rows.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
#: From labels (n), scores (n) and weights (samples x n) to values (samples).
WeightedMetric = Callable[[Floats, Floats, Floats], Floats]

#: How many samples are looked at together: more need more memory and are no faster.
_CHUNK = 50


def roc_auc(label: Floats, scores: Floats, weights: Floats) -> Floats:
    """Return the area under the ROC curve; not a number for a sample with one label only."""
    positive, negative = _by_score(label, scores, weights)
    below = np.cumsum(negative, axis=1) - negative
    pairs = positive.sum(axis=1) * negative.sum(axis=1)
    return _divided((positive * (below + negative / 2)).sum(axis=1), pairs)


def average_precision(label: Floats, scores: Floats, weights: Floats) -> Floats:
    """Return the average precision; not a number for a sample without a positive label."""
    positive, negative = _by_score(label, -scores, weights)
    found = np.cumsum(positive, axis=1)
    precision = _divided(found, found + np.cumsum(negative, axis=1), empty=0.0)
    return _divided((positive * precision).sum(axis=1), positive.sum(axis=1))


def log_loss(label: Floats, scores: Floats, weights: Floats) -> Floats:
    """Return the mean negative log-likelihood; probabilities are kept off 0 and 1 by the smallest step of a double."""
    kept = np.clip(scores, np.finfo(np.float64).eps, 1 - np.finfo(np.float64).eps)
    losses = -(label * np.log(kept) + (1 - label) * np.log(1 - kept))
    return _mean(losses, weights)


def brier(label: Floats, scores: Floats, weights: Floats) -> Floats:
    """Return the mean squared difference between probability and outcome."""
    return _mean((label - scores) ** 2, weights)


WEIGHTED: dict[str, WeightedMetric] = {
    "roc_auc": roc_auc,
    "average_precision": average_precision,
    "log_loss": log_loss,
    "brier": brier,
}


def paired_differences(
    metric: str, label: Floats, challenger: Floats, champion: Floats, samples: int, seed: int
) -> Floats:
    """Return by how much the metric differs between two models in bootstrap samples of the same rows.

    A sample draws as many rows as there are, with replacement, and both models are judged on it: what makes a row easy
    or hard cancels out (Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13: percentiles).

    Args:
        metric: One of `WEIGHTED`.
        label: Labels, 0 or 1, shape (n).
        challenger: The challenger's scores, shape (n).
        champion: The champion's scores for the same rows, shape (n).
        samples: How many samples to draw.
        seed: The same seed draws the same samples.

    Returns:
        Challenger's minus champion's values, shape (samples); not a number where a sample has one label only.
    """
    random, compute = np.random.default_rng(seed), WEIGHTED[metric]
    differences = []
    for start in range(0, samples, _CHUNK):
        weights = _drawn(random, min(_CHUNK, samples - start), len(label))
        differences.append(compute(label, challenger, weights) - compute(label, champion, weights))
    return np.concatenate(differences)


def _drawn(random: np.random.Generator, samples: int, rows: int) -> Floats:
    """Return how often each row is drawn in each sample."""
    drawn = random.integers(0, rows, size=(samples, rows)) + rows * np.arange(samples)[:, None]
    return np.bincount(drawn.ravel(), minlength=samples * rows).reshape(samples, rows).astype(np.float64)


def _by_score(label: Floats, scores: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """Return the weights of positive and negative rows by distinct score, the lowest score first."""
    order = np.argsort(scores, kind="stable")
    ordered = scores[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    positive, weights = label[order] == 1, weights[:, order]
    return (
        np.add.reduceat(weights * positive, starts, axis=1),
        np.add.reduceat(weights * ~positive, starts, axis=1),
    )


def _mean(losses: Floats, weights: Floats) -> Floats:
    mean: Floats = weights @ losses / weights.sum(axis=1)
    return mean


def _divided(part: Floats, whole: Floats, empty: float = np.nan) -> Floats:
    return np.divide(part, whole, out=np.full_like(part, empty), where=whole > 0)
