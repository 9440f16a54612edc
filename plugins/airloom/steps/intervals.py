"""Intervals: by how much a metric differs between two models on the same rows, and how sure that is.

Rows of one block, such as a day, share what made them easy or hard: a sample of a few days is not one of thousands of
rows. What one block contributes is seen by leaving it out, and how far these contributions lie apart says how much
the difference would vary from sample to sample (the jackknife for blocks of unequal size: Busing, Meijer and van der
Leeden, Delete-m jackknife for unequal m, Statistics and Computing 9, 1999). Where rows belong together in two ways,
by entity and by day, the variance is that of the first and of the second without what both count (Cameron, Gelbach
and Miller, Robust inference with multiway clustering, Journal of Business & Economic Statistics 29, 2011). The interval
is Student's, since the variance itself is estimated from few blocks; its degrees of freedom are those of the ways by
their share in the variance (Satterthwaite, Biometrics Bulletin 2, 1946).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from airloom.steps.weighted_metrics import Codes, Floats, WeightedMetric, weighted

#: More blocks are dealt into so many groups, which are left out as one (Kott, The delete-a-group jackknife, 2001).
_GROUPS = 100
#: How many blocks are left out together: more need more memory and are no faster.
_CHUNK = 25
_SEED = 20130101


@dataclass(frozen=True)
class Spread:
    """How uncertain a difference is.

    Args:
        error: Its standard error.
        freedom: The degrees of freedom of the error's estimate.
    """

    error: float
    freedom: float

    def margin(self, confidence: float) -> float:
        """Return how far the ends of the central interval with this confidence lie from the difference."""
        from scipy.stats import t

        return float(t.ppf((1 + confidence) / 2, self.freedom) * self.error)


def spread(
    metric: str,
    label: Floats,
    mine: Floats,
    theirs: Floats,
    ways: Sequence[Codes],
    within: Codes | None = None,
) -> Spread | None:
    """Estimate how much the difference of a metric between two models varies between samples of blocks.

    Args:
        metric: One of `WEIGHTED`.
        label: Labels, shape (n).
        mine: One model's scores, shape (n), or (n, classes).
        theirs: The other's scores for the same rows, of the same shape.
        ways: One way or two in which rows belong together: the number of the block of every row, shape (n).
        within: The group of every row, where the metric is that of each group, averaged (see `weighted`).

    Returns:
        The spread; None where it cannot be told: there are fewer than two blocks, or the metric has no value without
        one of them.
    """
    jackknife = _Jackknife(weighted(metric, within), label, mine, theirs)
    found = [jackknife.variance(each) for each in ways]
    if any(each is None for each in found):
        return None
    parts = [each for each in found if each is not None]
    variance = sum(part for part, _ in parts)
    if len(ways) == 2 and (both := jackknife.variance(_crossed(*ways))) is not None:
        # The difference of two estimates may be anything; a way alone is never more certain than its own rows.
        variance = max(variance - both[0], both[0], 0.0)
    squares = sum(part**2 / (blocks - 1) for part, blocks in parts)
    freedom = variance**2 / squares if squares else float(min(blocks for _, blocks in parts) - 1)
    least = min(blocks for _, blocks in parts) - 1
    return Spread(float(np.sqrt(variance)), max(freedom, float(least)) if len(ways) == 2 else float(least))


@dataclass(frozen=True)
class _Jackknife:
    """The difference of a metric, with some rows left out."""

    metric: WeightedMetric
    label: Floats
    mine: Floats
    theirs: Floats

    def variance(self, codes: Codes) -> tuple[float, int] | None:
        """Return the variance of the difference between samples of blocks, and how many blocks it rests on."""
        codes = _dealt(codes)
        blocks, rows = int(codes.max()) + 1, len(codes)
        if blocks < 2:
            return None
        whole = float(self._difference(np.ones((1, rows)))[0])
        without = np.concatenate(
            [
                self._difference((codes != np.arange(start, min(start + _CHUNK, blocks))[:, None]).astype(float))
                for start in range(0, blocks, _CHUNK)
            ]
        )
        if not np.isfinite(without).all():
            return None
        times = rows / np.bincount(codes)
        contributed = times * whole - (times - 1) * without
        estimate = float((whole - without).sum() + (without / times).sum())
        return float(np.mean((contributed - estimate) ** 2 / (times - 1))), blocks

    def _difference(self, weights: Floats) -> Floats:
        mine, theirs = (self.metric(self.label, scores, weights) for scores in (self.mine, self.theirs))
        return mine - theirs


def _dealt(codes: Codes) -> Codes:
    """Number blocks from 0; more than can be left out one by one are dealt into groups, always the same way."""
    codes = np.unique(codes, return_inverse=True)[1]
    blocks = int(codes.max()) + 1
    if blocks <= _GROUPS:
        return codes
    return (np.random.default_rng(_SEED).permutation(blocks) % _GROUPS)[codes]


def _crossed(first: Codes, second: Codes) -> Codes:
    """Return the blocks whose rows belong together in both ways."""
    second = np.unique(second, return_inverse=True)[1]
    crossed: Codes = np.unique(first, return_inverse=True)[1] * (int(second.max()) + 1) + second
    return crossed
