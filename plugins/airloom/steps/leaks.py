"""Leaks: features from after their day, and signs that a column knows the label.

A column knows the label when it separates the classes by itself, or is missing where the label is another.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date
from typing import TYPE_CHECKING, Any

from airloom.core.errors import DataError
from airloom.core.partitions import as_of
from airloom.core.pipeline import Label, Pipeline
from airloom.core.records import Leak
from airloom.steps.columns import ModelColumns
from airloom.steps.examples import DAY
from airloom.stores.lake import Lake
from airloom.stores.point_in_time import AS_OF, KNOWN_AT

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

#: A column that separates the label so well by itself is hardly known before the outcome.
_SEPARATES = 0.98
#: One-sided, of the normal distribution at 99 %.
_Z = 2.3263478740408408
_LEAST_ROWS = 20
_P_VALUE = 1e-6
_FOLDS = 5


def require_no_future(pipeline: Pipeline, lake: Lake, days: Collection[date]) -> None:
    """Make sure that no feature of some days is of a moment after its day, or became known after it.

    Args:
        pipeline: The declaration.
        lake: The tables, as they are read.
        days: The scored days.

    Raises:
        DataError: A feature is from after its day.
    """
    for view in pipeline.features.views:
        stamps = lake.read(f"features.{view}", days, columns=[DAY, AS_OF, KNOWN_AT])
        for day, rows in stamps.groupby(DAY, observed=True):
            ends = as_of(date.fromisoformat(str(day)), pipeline.schedule.timezone)
            late = int((rows[[AS_OF, KNOWN_AT]] > ends).any(axis=1).sum())
            if late:
                raise DataError(
                    "Features are from after the end of their day.",
                    where=f"features.{view} of {day}",
                    found=f"{late} of {len(rows)} rows",
                    expected=f"{AS_OF} and {KNOWN_AT} not after the end of {day}",
                    do=f"run the features stage for {day} again",
                )


def find_leaks(frame: pd.DataFrame, columns: ModelColumns, label: Label) -> tuple[Leak, ...]:
    """Look at every column that models read.

    Args:
        frame: Rows to learn from, with the label as numbers: codes of classes, or the value itself.
        columns: Those of its columns that models read.
        label: What is predicted.

    Returns:
        What was found, in the order of the columns.
    """
    outcome = frame[label.column].to_numpy(dtype=float)
    found = []
    for name in columns.all:
        column = frame[name]
        values = _rates(column, outcome) if name in columns.categorical else _numbers(column)
        found += _separation(name, values, outcome, label)
        found += _missingness(name, column.isna().to_numpy(), outcome, label)
    return tuple(found)


def _separation(name: str, values: np.ndarray, outcome: np.ndarray, label: Label) -> list[Leak]:
    """Judge how well a column orders the label by itself: each class against the rest, or by rank."""
    import numpy as np

    there = np.isfinite(values)
    values, outcome = values[there], outcome[there]
    if label.kind == "regression":
        bound = _rank_bound(values, outcome)
        return [Leak(column=name, sign="separation", value=bound)] if bound > _SEPARATES else []
    classes = [1.0] if label.kind == "binary" else sorted(set(outcome))
    bounds = [_area_bound(values, outcome == each) for each in classes]
    best = max(bounds, default=0.0)
    return [Leak(column=name, sign="separation", value=best)] if best > _SEPARATES else []


def _area_bound(values: np.ndarray, positive: np.ndarray) -> float:
    """Return the lower 99 % bound of the area under the curve, in whichever direction it is larger.

    The standard error is that of Hanley and McNeil (Radiology 143, 1982).
    """
    from math import sqrt

    from sklearn.metrics import roc_auc_score

    ones = int(positive.sum())
    zeros = len(positive) - ones
    if min(ones, zeros) < _LEAST_ROWS:
        return 0.0
    area = float(roc_auc_score(positive, values))
    area = max(area, 1 - area)
    q1, q2 = area / (2 - area), 2 * area**2 / (1 + area)
    variance = area * (1 - area) + (ones - 1) * (q1 - area**2) + (zeros - 1) * (q2 - area**2)
    return area - _Z * sqrt(max(variance, 0.0) / (ones * zeros))


def _rank_bound(values: np.ndarray, outcome: np.ndarray) -> float:
    """Return the lower 99 % bound of the absolute rank correlation, by Fisher's transformation."""
    from math import atanh, sqrt, tanh

    from scipy.stats import spearmanr

    if len(values) < 2 * _LEAST_ROWS or len(set(values)) < 2 or len(set(outcome)) < 2:
        return 0.0
    found = min(abs(float(spearmanr(values, outcome).statistic)), 1 - 1e-12)
    return tanh(atanh(found) - _Z / sqrt(len(values) - 3))


def _numbers(column: pd.Series[Any]) -> np.ndarray:
    """Return numbers; what is none is missing here, and left to the candidate to refuse."""
    import numpy as np
    import pandas as pd

    return pd.to_numeric(column, errors="coerce").to_numpy(dtype=float, na_value=np.nan)


def _rates(column: pd.Series[Any], outcome: np.ndarray) -> np.ndarray:
    """Replace each category by its mean label in the other folds; one that is only here says nothing."""
    import numpy as np
    import pandas as pd

    fold = np.arange(len(column)) % _FOLDS
    rates = np.full(len(column), np.nan)
    for number in range(_FOLDS):
        here = fold == number
        means = pd.Series(outcome[~here]).groupby(column.to_numpy()[~here]).mean()
        rates[here] = column[here].map(means).to_numpy(dtype=float)
    return rates


def _missingness(name: str, missing: np.ndarray, outcome: np.ndarray, label: Label) -> list[Leak]:
    """Judge whether the label is another where the column is missing."""
    import pandas as pd
    from scipy.stats import chi2_contingency, mannwhitneyu

    if min(missing.sum(), (~missing).sum()) < _LEAST_ROWS or len(set(outcome)) < 2:
        return []
    if label.kind == "regression":
        p = float(mannwhitneyu(outcome[missing], outcome[~missing]).pvalue)
    else:
        p = float(chi2_contingency(pd.crosstab(missing, outcome)).pvalue)
    return [Leak(column=name, sign="missingness", value=p)] if p < _P_VALUE else []
