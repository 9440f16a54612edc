"""Every metric over weighted rows: one weight vector a sample, all of them at once.

Definitions and names are those of scikit-learn's scorers with `sample_weight`. Where the number of a sample cannot be
told, such as an area under the ROC curve with one label only, it is not a number. `expected_calibration_error` is that
of Guo and others, On Calibration of Modern Neural Networks, 2017, with ten bins of equal width.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]
#: From labels (n), scores (n, or n x classes) and weights (samples x n) to values (samples).
WeightedMetric = Callable[[Floats, Floats, Floats], Floats]

_BINS = 10


def roc_auc(label: Floats, scores: Floats, weights: Floats) -> Floats:
    """Return the probability that a positive row is scored above a negative one, ties counting half."""
    positive, negative = _by_score(label, scores, weights)
    below = np.cumsum(negative, axis=1) - negative
    pairs = positive.sum(axis=1) * negative.sum(axis=1)
    return _divided((positive * (below + negative / 2)).sum(axis=1), pairs)


def average_precision(label: Floats, scores: Floats, weights: Floats) -> Floats:
    """Return the sum of precisions weighted by the increase in recall."""
    positive, negative = _by_score(label, -scores, weights)
    found = np.cumsum(positive, axis=1)
    precision = _divided(found, found + np.cumsum(negative, axis=1), empty=0.0)
    return _divided((positive * precision).sum(axis=1), positive.sum(axis=1))


def roc_auc_ovr(label: Floats, scores: Floats, weights: Floats) -> Floats:
    """Return the mean, over the classes that are there, of the area under the ROC curve of one against the rest."""
    classes = range(scores.shape[1])
    areas = np.stack([roc_auc((label == each).astype(float), scores[:, each], weights) for each in classes])
    return _divided(np.nansum(areas, axis=0), np.isfinite(areas).sum(axis=0).astype(float))


def neg_log_loss(label: Floats, scores: Floats, weights: Floats) -> Floats:
    """Return the mean log-likelihood; probabilities are kept off 0 and 1 by the smallest step of a double."""
    own = np.take_along_axis(_by_class(scores), label.astype(int)[:, None], axis=1)[:, 0]
    return _mean(np.log(np.clip(own, np.finfo(np.float64).eps, 1 - np.finfo(np.float64).eps)), weights)


def neg_brier_score(label: Floats, scores: Floats, weights: Floats) -> Floats:
    """Return minus the mean squared difference between probability and outcome."""
    return neg_mean_squared_error(label, scores, weights)


def accuracy(label: Floats, scores: Floats, weights: Floats) -> Floats:
    """Return the share of rows whose most probable class is right."""
    return _mean((_predicted(scores) == label).astype(float), weights)


def balanced_accuracy(label: Floats, scores: Floats, weights: Floats) -> Floats:
    """Return the mean recall of the classes that are there."""
    hits, actual, _ = _confusion(label, scores, weights)
    return _mean_of_known(_divided(hits, actual))


def f1(label: Floats, scores: Floats, weights: Floats) -> Floats:
    """Return the harmonic mean of precision and recall of the positive class; 0 where it is neither there nor found."""
    return np.nan_to_num(_f1_by_class(label, scores, weights)[:, 1])


def f1_macro(label: Floats, scores: Floats, weights: Floats) -> Floats:
    """Return the mean over classes, that are there or were predicted, of the harmonic mean of precision and recall."""
    return _mean_of_known(_f1_by_class(label, scores, weights))


def expected_calibration_error(label: Floats, scores: Floats, weights: Floats) -> Floats:
    """Return how far, on average, probabilities lie from the share of what happened."""
    binary = scores.ndim == 1
    confidence = scores if binary else scores.max(axis=1)
    happened = label if binary else (_predicted(scores) == label).astype(float)
    bins = np.clip((confidence * _BINS).astype(int), 0, _BINS - 1)
    gaps = np.eye(_BINS)[bins] * (confidence - happened)[:, None]
    return np.asarray(np.abs(weights @ gaps).sum(axis=1) / weights.sum(axis=1))


def neg_mean_absolute_error(label: Floats, scores: Floats, weights: Floats) -> Floats:
    """Return minus the mean absolute error."""
    return _mean(-np.abs(label - scores), weights)


def neg_mean_squared_error(label: Floats, scores: Floats, weights: Floats) -> Floats:
    """Return minus the mean squared error."""
    return _mean(-((label - scores) ** 2), weights)


def neg_root_mean_squared_error(label: Floats, scores: Floats, weights: Floats) -> Floats:
    """Return minus the root of the mean squared error."""
    return -np.sqrt(-neg_mean_squared_error(label, scores, weights))


def r2(label: Floats, scores: Floats, weights: Floats) -> Floats:
    """Return the share of the label's variance that is explained."""
    centred = label - label.mean()
    variance = _mean(centred**2, weights) - _mean(centred, weights) ** 2
    return 1 + _divided(neg_mean_squared_error(label, scores, weights), variance)


WEIGHTED: dict[str, WeightedMetric] = {
    metric.__name__: metric
    for metric in (
        roc_auc,
        average_precision,
        roc_auc_ovr,
        neg_log_loss,
        neg_brier_score,
        accuracy,
        balanced_accuracy,
        f1,
        f1_macro,
        expected_calibration_error,
        neg_mean_absolute_error,
        neg_mean_squared_error,
        neg_root_mean_squared_error,
        r2,
    )
}


def weighted(metric: str, within: Codes | None = None) -> WeightedMetric:
    """Return a metric over weighted rows.

    Args:
        metric: One of `WEIGHTED`.
        within: The number of the group of every row, shape (n): the metric is then that of each group, averaged over
            the groups in which it has a value, each counting as much as its rows. Without it, the metric of all rows.
    """
    compute = WEIGHTED[metric]
    if within is None:
        return compute
    places = [np.flatnonzero(within == group) for group in np.unique(within)]

    def averaged(label: Floats, scores: Floats, weights: Floats) -> Floats:
        values = np.full((len(places), len(weights)), np.nan)
        for value, place in zip(values, places, strict=True):
            some = weights[:, place]
            there = some.any(axis=1)
            value[there] = compute(label[place], scores[place], some[there])
        counted = np.stack([weights[:, place].sum(axis=1) for place in places]) * np.isfinite(values)
        return _divided((np.nan_to_num(values) * counted).sum(axis=0), counted.sum(axis=0))

    return averaged


def plain(metric: str, label: Floats, scores: Floats, within: Codes | None = None) -> float:
    """Return a metric of rows that each count once, as `weighted` does."""
    return float(weighted(metric, within)(label, scores, np.ones((1, len(label))))[0])


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


def _by_class(scores: Floats) -> Floats:
    """Return one column a class; a binary score is the probability of the second."""
    return np.column_stack([1 - scores, scores]) if scores.ndim == 1 else scores


def _predicted(scores: Floats) -> npt.NDArray[np.int64]:
    """Return the most probable class of each row, the first of equals."""
    return np.asarray(_by_class(scores).argmax(axis=1))


def _confusion(label: Floats, scores: Floats, weights: Floats) -> tuple[Floats, Floats, Floats]:
    """Return, by sample and class, the weights of rows that are right, that are of the class, that were called so."""
    classes = np.arange(_by_class(scores).shape[1])
    actual, predicted = label[:, None] == classes, _predicted(scores)[:, None] == classes
    return weights @ (actual & predicted), weights @ actual, weights @ predicted


def _f1_by_class(label: Floats, scores: Floats, weights: Floats) -> Floats:
    hits, actual, predicted = _confusion(label, scores, weights)
    return _divided(2 * hits, actual + predicted)


def _mean_of_known(values: Floats) -> Floats:
    return np.asarray(np.nanmean(values, axis=1))


def _mean(values: Floats, weights: Floats) -> Floats:
    mean: Floats = weights @ values / weights.sum(axis=1)
    return mean


def _divided(part: Floats, whole: Floats, empty: float = np.nan) -> Floats:
    return np.divide(part, whole, out=np.full_like(part, empty), where=whole > 0)
