"""The metrics that the evaluator produces and the direction in which each is better."""

from __future__ import annotations

from typing import Literal

Direction = Literal["higher", "lower"]

METRICS: dict[str, Direction] = {
    "roc_auc": "higher",
    "average_precision": "higher",
    "log_loss": "lower",
    "brier": "lower",
}


def at_least_as_good(metric: str, value: float, bound: float) -> bool:
    """Tell whether a value reaches a bound in the metric's own direction."""
    return value >= bound if METRICS[metric] == "higher" else value <= bound


def gain(metric: str, challenger: float, champion: float) -> float:
    """Return by how much the challenger is better; negative when it is worse."""
    difference = challenger - champion
    return difference if METRICS[metric] == "higher" else -difference
