"""The metrics that models are judged by, under the names of scikit-learn's scorers, and which way each is better."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

Kind = Literal["binary", "multiclass", "regression"]
Direction = Literal["higher", "lower"]


@dataclass(frozen=True)
class Metric:
    """What is known of a metric by its name.

    Args:
        kinds: The kinds of label that it is for.
        direction: Which way it is better.
        proper: The proper score that says whether values are right, of what this metric judges by rank, by class or by
            bin (Gneiting and Raftery, Strictly proper scoring rules, JASA 102, 2007); empty where it is one itself.
        constant: The value that it elicits from who knows nothing of a row; empty where knowing nothing is best.
        lowest: The lowest value that it can have.
        highest: The highest.
    """

    kinds: tuple[Kind, ...]
    direction: Direction = "higher"
    proper: str = ""
    constant: Literal["mean", "median", ""] = "mean"
    lowest: float = -math.inf
    highest: float = 0.0


_CLASSES: tuple[Kind, ...] = ("binary", "multiclass")

#: What the evaluator produces. A scorer is always better when higher: errors carry the prefix `neg_` and a minus sign.
METRICS: dict[str, Metric] = {
    "roc_auc": Metric(("binary",), proper="neg_log_loss", lowest=0, highest=1),
    "average_precision": Metric(("binary",), proper="neg_log_loss", lowest=0, highest=1),
    "neg_brier_score": Metric(("binary",), lowest=-1),
    "f1": Metric(("binary",), proper="neg_log_loss", lowest=0, highest=1),
    "roc_auc_ovr": Metric(("multiclass",), proper="neg_log_loss", lowest=0, highest=1),
    "f1_macro": Metric(("multiclass",), proper="neg_log_loss", lowest=0, highest=1),
    "neg_log_loss": Metric(_CLASSES),
    "accuracy": Metric(_CLASSES, proper="neg_log_loss", lowest=0, highest=1),
    "balanced_accuracy": Metric(_CLASSES, proper="neg_log_loss", lowest=0, highest=1),
    "expected_calibration_error": Metric(_CLASSES, "lower", proper="neg_log_loss", constant="", lowest=0, highest=1),
    "neg_mean_absolute_error": Metric(("regression",), constant="median"),
    "neg_mean_squared_error": Metric(("regression",)),
    "neg_root_mean_squared_error": Metric(("regression",), proper="neg_mean_squared_error"),
    "r2": Metric(("regression",), proper="neg_mean_squared_error", highest=1),
}

#: What proving a version produces, whatever it predicts.
OPERATIONAL: dict[str, Metric] = {
    "artifact_bytes": Metric(("binary", "multiclass", "regression"), "lower", lowest=0, highest=math.inf),
    "load_seconds": Metric(("binary", "multiclass", "regression"), "lower", lowest=0, highest=math.inf),
    "rows_per_second": Metric(("binary", "multiclass", "regression"), lowest=0, highest=math.inf),
}


def metrics_of(kind: Kind) -> tuple[str, ...]:
    """Return the names of the metrics that are produced for a kind of label."""
    return tuple(name for name, metric in METRICS.items() if kind in metric.kinds)


def direction(metric: str) -> Direction:
    """Return which way a metric is better."""
    return (METRICS | OPERATIONAL)[metric].direction


def proper_score(metric: str) -> str:
    """Return the proper score that fits a metric: itself, where it is one."""
    return METRICS[metric].proper or metric


def constant_of(metric: str) -> str:
    """Return which constant a metric elicits: the `mean` or the `median`."""
    return METRICS[metric].constant or "mean"


def rewards_a_constant(metric: str) -> bool:
    """Tell whether no model can be better than the right constant, so that beating one says nothing."""
    return not METRICS[metric].constant


def gain(metric: str, challenger: float, champion: float) -> float:
    """Return by how much the challenger is better; negative when it is worse."""
    difference = challenger - champion
    return difference if direction(metric) == "higher" else -difference
