"""The candidates: one that learns within a moment, and one without skill."""

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
    """A logistic regression over the numbers alone; what is missing counts as nothing."""

    numeric: list[str]
    regression: LogisticRegression

    def predict(self, frame: pd.DataFrame) -> np.ndarray:
        """Return the probability that each parcel is late."""
        return np.asarray(self.regression.predict_proba(_numbers(frame, self.numeric))[:, 1])

    def save(self, folder: Path) -> None:
        """Write the coefficients and the names of the columns."""
        save_estimator(self.regression, folder / "regression.skops")
        (folder / "columns.json").write_text(json.dumps(self.numeric))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        return cls(json.loads((folder / "columns.json").read_text()), load_estimator(folder / "regression.skops"))


@dataclass(frozen=True)
class Constant:
    """Predicts the share of late parcels for every parcel."""

    share: float

    def predict(self, frame: pd.DataFrame) -> np.ndarray:
        """Return the same for every row."""
        return np.full(len(frame), self.share)

    def save(self, folder: Path) -> None:
        """Write the share."""
        (folder / "share.json").write_text(json.dumps(self.share))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        return cls(json.loads((folder / "share.json").read_text()))


def logistic(data: TrainingData, params: Params, log: MetricLog) -> Logistic:
    """Fit a logistic regression."""
    regression = LogisticRegression(C=float(params["c"]), max_iter=1000)
    regression.fit(_numbers(data.frame, list(data.numeric)), data.label)
    return Logistic(list(data.numeric), regression)


def constant(data: TrainingData, params: Params, log: MetricLog) -> Constant:
    """Learn the share of late parcels and nothing else."""
    return Constant(float(np.mean(data.label)))


def _numbers(frame: pd.DataFrame, columns: list[str]) -> np.ndarray:
    return frame[columns].to_numpy(dtype=float, na_value=0.0)
