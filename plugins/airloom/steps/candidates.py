"""What a candidate is: a function from training data to a model.

A pipeline's `train.candidates.<name>.fit` names a function `fit(data, params, log)`: `data` is a `TrainingData`,
`params` is the declaration's mapping, `log` is a `MetricLog`. It returns what a flavour takes, or a `Model` of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from airloom.contracts import Model
from airloom.core.metrics import Kind

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

__all__ = ["PARAMETERS", "Fit", "MetricLog", "Model", "Params", "TrainingData"]

#: What a candidate's function is called with.
PARAMETERS = ("data", "params", "log")

Params = Mapping[str, int | float | str | bool]


@dataclass(frozen=True)
class TrainingData:
    """The rows that a candidate learns from.

    Args:
        frame: One row an example, one column an input; values may be missing.
        label: One number a row of the frame: 1.0 or 0.0, a class by its declared position, or a value.
        categorical: Columns of the frame that hold words.
        numeric: Columns of the frame that hold numbers.
        seed: Where all randomness starts, so that the same data gives the same model.
        day: The scored day of every row, for validation by time: rows of one day share the day.
        groups: One number a row, the same for all rows of one entity, for validation by entity.
        weight: How much each row counts, as `train.weight` declares; 1.0 where it declares nothing.
        kind: The kind of label.
        classes: The classes of a multiclass label, in their declared order.
    """

    frame: pd.DataFrame
    label: np.ndarray
    categorical: tuple[str, ...]
    numeric: tuple[str, ...]
    seed: int
    day: np.ndarray
    groups: np.ndarray
    weight: np.ndarray
    kind: Kind = "binary"
    classes: tuple[str, ...] = ()


class MetricLog(Protocol):
    """Where a candidate reports how its training goes."""

    def log(self, metrics: Mapping[str, float], step: int) -> None:
        """Keep values of one step.

        Raises:
            DataError: A value is not a finite number, so training must stop.
        """
        ...


Fit = Callable[[TrainingData, Params, MetricLog], Any]
