"""Baselines: what a model must beat to be worth having, trained on the same rows and judged on the same holdout.

Each is a candidate's function, too: declare `fit: airloom.steps.baselines:linear` to let one compete.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from airloom.contracts import Model
from airloom.core.metrics import constant_of
from airloom.core.pipeline import Pipeline
from airloom.core.settings import Settings
from airloom.core.verdict import Verdict
from airloom.steps.baseline_models import Constant, Linear, constant, linear
from airloom.steps.candidates import Params, TrainingData
from airloom.steps.columns import ModelColumns
from airloom.steps.outputs import predicted
from airloom.steps.series import predict_by_series
from airloom.steps.training import training_data
from airloom.steps.training_sets import Rows, read_file, training_path
from airloom.stores.lake import Lake

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

#: Registered versions and declarations name the models and their functions by this module.
__all__ = [
    "Constant",
    "Linear",
    "constant",
    "linear",
    "predict_baselines",
    "predict_constant",
    "predict_constant_beside",
]

_log = logging.getLogger(__name__)


def predict_baselines(pipeline: Pipeline, learned: Rows, frame: pd.DataFrame, lake: Lake) -> dict[str, np.ndarray]:
    """Train every baseline of a pipeline and predict; what cannot is missing, with a warning in the log.

    The linear one reads `train.inputs` alone: what features add to it is what they are worth. Values that form series
    are also predicted by the newest that was known, and the newest of the same weekday.

    Args:
        pipeline: The declaration.
        learned: The rows that candidates learn from.
        frame: The rows to predict, with their key, their day and the declared inputs.
        lake: The tables, for the series.
    """
    found = {"constant": predict_constant(pipeline, learned, frame)}
    asked: dict[str, Callable[[], dict[str, np.ndarray]]] = {
        "linear": lambda: {"linear": _predict(pipeline, linear(_data(pipeline, learned), {}, _Silent()), frame)},
        "of the series": lambda: predict_by_series(pipeline, frame, lake, found["constant"]),
    }
    for name, predict in asked.items():
        try:
            found |= predict()
        except Exception as error:  # noqa: BLE001 - whatever is wrong with a baseline, the candidates are judged
            _log.warning("The baseline %s cannot predict: %s.", name, type(error).__name__)
    return found


def predict_constant(pipeline: Pipeline, learned: Rows, frame: pd.DataFrame) -> np.ndarray:
    """Return what the constant predicts that fits the gate's metric.

    Args:
        pipeline: The declaration.
        learned: The rows that candidates learn from.
        frame: The rows to predict.
    """
    params: Params = {"value": constant_of(pipeline.gate.metric)}
    return _predict(pipeline, constant(_data(pipeline, learned), params, _Silent()), frame)


def _predict(pipeline: Pipeline, baseline: Model, frame: pd.DataFrame) -> np.ndarray:
    return predicted(pipeline.label, baseline, frame, "A baseline")


def predict_constant_beside(
    pipeline: Pipeline, verdict: Verdict, frame: pd.DataFrame, settings: Settings
) -> np.ndarray:
    """Return what the constant predicts that was judged beside a challenger: that of the same training set.

    Args:
        pipeline: The declaration.
        verdict: The verdict on the challenger.
        frame: The rows to predict.
        settings: Where training sets are.

    Raises:
        DataError: The training set is not there any more.
    """
    path = training_path(pipeline.name, verdict.partition, verdict.training_digest)
    return predict_constant(pipeline, read_file(settings.training / path, "train"), frame)


def _data(pipeline: Pipeline, learned: Rows) -> TrainingData:
    """Return rows with the declared inputs alone."""
    inputs = pipeline.train.inputs
    columns = ModelColumns(categorical=inputs.categorical, numeric=inputs.numeric)
    return training_data(pipeline, Rows(learned.frame, columns, learned.digest))


class _Silent:
    """A log that keeps nothing."""

    def log(self, metrics: Any, step: int) -> None:
        """Keep nothing."""
