"""drift: how far the rows of two training sets lie apart, by the population stability index.

The index of a column is the sum over its bins of (a - b) ln(a / b), where a and b are the shares of rows that fall
into the bin (Siddiqi, Credit Risk Scorecards, 2006: above 0.25 the population has changed). Numbers are binned by the
deciles of the reference, words by themselves; what is missing has a bin of its own.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

_BINS = 10
_WORDS = 20
#: An empty bin counts as this share, so that its logarithm is a number.
_LEAST = 1e-4


def population_stability(reference: pd.DataFrame, current: pd.DataFrame, columns: Iterable[str]) -> dict[str, float]:
    """Return the population stability index of every column.

    Args:
        reference: The rows of before.
        current: The rows of now, with the same columns.
        columns: Which of them to compare.
    """
    import pandas as pd

    numeric = pd.api.types.is_numeric_dtype
    return {
        name: _index(*(_numbers if numeric(reference[name]) else _words)(reference[name], current[name]))
        for name in columns
    }


def _index(reference: np.ndarray, current: np.ndarray) -> float:
    import numpy as np

    shares = [np.maximum(counts / max(counts.sum(), 1), _LEAST) for counts in (reference, current)]
    return float(np.sum((shares[1] - shares[0]) * np.log(shares[1] / shares[0])))


def _numbers(reference: pd.Series, current: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    import numpy as np

    known = reference.dropna().to_numpy(dtype=float)
    edges = np.unique(np.quantile(known, np.linspace(0, 1, _BINS + 1)[1:-1])) if len(known) else np.array([])

    def counts(column: pd.Series) -> np.ndarray:
        there = column.dropna().to_numpy(dtype=float)
        binned = np.bincount(np.searchsorted(edges, there, side="right"), minlength=len(edges) + 1)
        return np.append(binned, len(column) - len(there)).astype(float)

    return counts(reference), counts(current)


def _words(reference: pd.Series, current: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    import numpy as np

    frequent = reference.dropna().astype(str).value_counts().index[:_WORDS]

    def counts(column: pd.Series) -> np.ndarray:
        there = column.dropna().astype(str)
        known = there.value_counts().reindex(frequent, fill_value=0).to_numpy(dtype=float)
        return np.append(known, [len(there) - known.sum(), len(column) - len(there)])

    return counts(reference), counts(current)
