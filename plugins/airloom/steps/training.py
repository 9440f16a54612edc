"""One training: a candidate learns from rows. `fit` and `reproduce` both do it here, so that both do the same."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airloom.contracts import Model
from airloom.core.failures import failing
from airloom.core.pipeline import Label, Pipeline
from airloom.flavours.flavour import Target
from airloom.flavours.registry import as_model
from airloom.steps.candidates import Fit, MetricLog, TrainingData
from airloom.steps.examples import DAY, entity
from airloom.steps.outputs import predicted
from airloom.steps.threads import fixed_threads
from airloom.steps.training_sets import Rows
from airloom.stores.absent_classes import WithAbsentClasses

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Trained:
    """What a training made.

    Args:
        model: The model.
        outputs: What it predicts for the rows that it has learned from.
        seconds: What the training took.
    """

    model: Model
    outputs: np.ndarray
    seconds: float


def train(pipeline: Pipeline, candidate: str, function: Fit, rows: Rows, log: MetricLog) -> Trained:
    """Train a candidate on rows, from the declared seed and with the declared parameters.

    Args:
        pipeline: The declaration.
        candidate: Name of the candidate in the declaration.
        function: Its function.
        rows: What to learn from.
        log: Where it reports how the training goes.

    Raises:
        DataError: The candidate fails, a loss is not a finite number, or a prediction is not what the label asks for.
    """
    data, params = training_data(pipeline, rows), pipeline.train.candidates[candidate].params
    started = time.perf_counter()
    with fixed_threads(), failing(f"The candidate {candidate} cannot be trained."):
        returned = function(data, params, log)
        seconds = time.perf_counter() - started
        target = Target(pipeline.label.kind, pipeline.label.classes)
        model = as_model(returned, target, pickle=pipeline.artifacts.pickle == "allow")
    if model is returned:
        model = _with_every_class(pipeline.label, model, data.label)
    outputs = predicted(pipeline.label, model, rows.inputs, f"The candidate {candidate}")
    return Trained(model, outputs, seconds)


def _with_every_class(label: Label, model: Model, learned: np.ndarray) -> Model:
    """Return a model whose training rows lacked a declared class as one that gives it the probability 0."""
    present = tuple(name for code, name in enumerate(label.scored_classes) if (learned == code).any())
    return model if present == label.scored_classes else WithAbsentClasses(model, present, label.scored_classes)


def training_data(pipeline: Pipeline, rows: Rows) -> TrainingData:
    """Return rows as they are given to a candidate."""
    import numpy as np

    frame, weight = rows.frame, pipeline.train.weight
    return TrainingData(
        frame=rows.inputs,
        label=frame[pipeline.label.column].to_numpy(dtype=float),
        categorical=rows.columns.categorical,
        numeric=rows.columns.numeric,
        seed=pipeline.train.seed,
        day=frame[DAY].to_numpy(dtype="datetime64[D]"),
        groups=frame.groupby(entity(pipeline, frame), dropna=False).ngroup().to_numpy(),
        weight=frame[weight].to_numpy(dtype=float) if weight else np.ones(len(frame)),
        kind=pipeline.label.kind,
        classes=pipeline.label.scored_classes,
    )
