"""The candidate: a linear regression over the numbers alone; what is missing counts as nothing."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import pandas as pd
from sklearn.linear_model import Ridge

from airloom.flavours.estimator_files import load_estimator, save_estimator
from airloom.steps.candidates import MetricLog, Params, TrainingData


@dataclass(frozen=True)
class Linear:
    """A regression and the columns that it reads."""

    numeric: list[str]
    regression: Ridge

    def predict(self, frame: pd.DataFrame) -> np.ndarray:
        """Return how much will be sold."""
        return np.asarray(self.regression.predict(_numbers(frame, self.numeric)))

    def save(self, folder: Path) -> None:
        """Write the coefficients and the names of the columns."""
        save_estimator(self.regression, folder / "regression.skops")
        (folder / "columns.json").write_text(json.dumps(self.numeric))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        return cls(json.loads((folder / "columns.json").read_text()), load_estimator(folder / "regression.skops"))


def ridge(data: TrainingData, params: Params, log: MetricLog) -> Linear:
    """Fit a linear regression."""
    return Linear(list(data.numeric), Ridge().fit(_numbers(data.frame, list(data.numeric)), data.label))


def _numbers(frame: pd.DataFrame, columns: list[str]) -> np.ndarray:
    return frame[columns].to_numpy(dtype=float, na_value=0.0)
