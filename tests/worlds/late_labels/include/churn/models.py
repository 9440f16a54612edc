"""The candidate: a logistic regression over the numbers alone; what is missing counts as nothing."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression

from airloom.flavours.estimator_files import load_estimator, save_estimator
from airloom.steps.candidates import MetricLog, Params, TrainingData


@dataclass(frozen=True)
class Logistic:
    """A regression and the columns that it reads."""

    numeric: list[str]
    regression: LogisticRegression

    def predict(self, frame: pd.DataFrame) -> np.ndarray:
        """Return the probability that each customer leaves."""
        return np.asarray(self.regression.predict_proba(_numbers(frame, self.numeric))[:, 1])

    def save(self, folder: Path) -> None:
        """Write the coefficients and the names of the columns."""
        save_estimator(self.regression, folder / "regression.skops")
        (folder / "columns.json").write_text(json.dumps(self.numeric))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        return cls(json.loads((folder / "columns.json").read_text()), load_estimator(folder / "regression.skops"))


def logistic(data: TrainingData, params: Params, log: MetricLog) -> Logistic:
    """Fit a logistic regression."""
    regression = LogisticRegression(C=0.01, max_iter=1000)
    regression.fit(_numbers(data.frame, list(data.numeric)), data.label)
    return Logistic(list(data.numeric), regression)


def _numbers(frame: pd.DataFrame, columns: list[str]) -> np.ndarray:
    return frame[columns].to_numpy(dtype=float, na_value=0.0)
