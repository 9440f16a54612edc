"""The metrics that models are judged by, under the names of scikit-learn's scorers, and which way each is better."""

from __future__ import annotations

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
    """

    kinds: tuple[Kind, ...]
    direction: Direction = "higher"


_CLASSES: tuple[Kind, ...] = ("binary", "multiclass")

#: What the evaluator produces. A scorer is always better when higher: errors carry the prefix `neg_` and a minus sign.
METRICS: dict[str, Metric] = {
    "roc_auc": Metric(("binary",)),
    "average_precision": Metric(("binary",)),
    "neg_brier_score": Metric(("binary",)),
    "f1": Metric(("binary",)),
    "roc_auc_ovr": Metric(("multiclass",)),
    "f1_macro": Metric(("multiclass",)),
    "neg_log_loss": Metric(_CLASSES),
    "accuracy": Metric(_CLASSES),
    "balanced_accuracy": Metric(_CLASSES),
    "expected_calibration_error": Metric(_CLASSES, "lower"),
    "neg_mean_absolute_error": Metric(("regression",)),
    "neg_mean_squared_error": Metric(("regression",)),
    "neg_root_mean_squared_error": Metric(("regression",)),
    "r2": Metric(("regression",)),
}

#: What proving a version produces, whatever it predicts.
OPERATIONAL: dict[str, Metric] = {
    "artifact_bytes": Metric(("binary", "multiclass", "regression"), "lower"),
    "load_seconds": Metric(("binary", "multiclass", "regression"), "lower"),
    "rows_per_second": Metric(("binary", "multiclass", "regression")),
}


def metrics_of(kind: Kind) -> tuple[str, ...]:
    """Return the names of the metrics that are produced for a kind of label."""
    return tuple(name for name, metric in METRICS.items() if kind in metric.kinds)


def direction(metric: str) -> Direction:
    """Return which way a metric is better."""
    return (METRICS | OPERATIONAL)[metric].direction


def gain(metric: str, challenger: float, champion: float) -> float:
    """Return by how much the challenger is better; negative when it is worse."""
    difference = challenger - champion
    return difference if direction(metric) == "higher" else -difference
