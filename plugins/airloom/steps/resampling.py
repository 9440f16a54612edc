"""The paired bootstrap: how a metric differs between two models in many samples of the same rows."""

from __future__ import annotations

import numpy as np

from airloom.steps.weighted_metrics import WEIGHTED, Floats

#: How many samples are looked at together: more need more memory and are no faster.
_CHUNK = 50


def paired_differences(
    metric: str, label: Floats, challenger: Floats, champion: Floats, samples: int, seed: int
) -> Floats:
    """Return by how much the metric differs between two models in bootstrap samples of the same rows.

    A sample draws as many rows as there are, with replacement, and both models are judged on it: what makes a row easy
    or hard cancels out (Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13: percentiles).

    Args:
        metric: One of `WEIGHTED`.
        label: Labels, shape (n).
        challenger: The challenger's scores, shape (n), or (n, classes).
        champion: The champion's scores for the same rows, of the same shape.
        samples: How many samples to draw.
        seed: The same seed draws the same samples.

    Returns:
        Challenger's minus champion's values, shape (samples); not a number where a sample has too few labels to tell.
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
