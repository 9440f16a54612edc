"""Standing: whether the champion's published predictions are better than the average, as their labels arrive."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from airloom.core.errors import DataError
from airloom.core.metrics import gain
from airloom.core.pipeline import Pipeline
from airloom.core.settings import Settings
from airloom.core.wording import counted
from airloom.steps.baselines import predict_constant_beside
from airloom.steps.examples import DAY
from airloom.steps.label_inputs import current_labels
from airloom.steps.outcomes import LABEL, PREDICTIONS, SCORE, VERSION, labelled_predictions
from airloom.steps.outputs import from_columns
from airloom.steps.weighted_metrics import plain
from airloom.stores.lake import Lake
from airloom.stores.ledger import Champion, Ledger

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

_log = logging.getLogger(__name__)

#: A champion is looked at over its newest labelled days, at least a week and at most four.
_FEWEST, _MOST = 7, 28


@dataclass(frozen=True)
class Standing:
    """What the champion's predictions were worth beside the constant that its training set would have predicted.

    Args:
        version: The champion.
        days: How many labelled days were looked at, the newest of its own.
        metrics: By metric, its value and that of the constant.
        since: The first day from which on it was worse in one of them every time that a day's labels came; None when it
            is not.
    """

    version: int
    days: int
    metrics: dict[str, tuple[float, float]]
    since: date | None

    def __str__(self) -> str:
        """Write it as people read it, `worse than the average since 2013-02-03: ...`."""
        found = "; ".join(
            f"{name} {mine:.4f}, of a constant {constant:.4f}" for name, (mine, constant) in self.metrics.items()
        )
        head = f"worse than the average since {self.since}" if self.since else "better than the average"
        return f"{head}: {found}, on the last {counted(self.days, 'day')} with labels"


def standing(pipeline: Pipeline, settings: Settings) -> Standing | None:
    """Compare the champion of now with a constant, on what it has published and what has happened since.

    The metrics are those in which the gate demands skill. A single day says little, so that each day is judged together
    with the days of the four weeks before it.

    Args:
        pipeline: The declaration.
        settings: Where ledger, lake and training sets are.

    Returns:
        The standing; None when there is no champion, its labels are of less than a week or cannot be matched with its
        predictions, or its training set is gone.
    """
    ledger = Ledger(settings.state_url)
    history = ledger.history(pipeline.name)
    if not history:
        return None
    lake = current_labels(pipeline, Lake(settings.lake / pipeline.name), settings)
    days = sorted(day for day in lake.partitions(PREDICTIONS) if day >= history[-1].effective_from)
    if not days:
        return None
    try:
        rows = labelled_predictions(pipeline, lake, days)
    except DataError as error:
        _log.warning("What the champion is worth cannot be told: %s", error.brief)
        return None
    rows = rows[rows[VERSION] == history[-1].version]
    labelled = sorted(set(rows[DAY]))
    if len(labelled) < _FEWEST:
        return None
    constant = _constant(pipeline, history[-1], ledger, rows, settings)
    return None if constant is None else _compare(pipeline, history[-1].version, rows, constant, labelled)


def _constant(
    pipeline: Pipeline, champion: Champion, ledger: Ledger, rows: pd.DataFrame, settings: Settings
) -> np.ndarray | None:
    """Return what the constant of the champion's training set predicts; None where that is gone."""
    judged = [each for each in ledger.verdicts(pipeline.name) if each.challenger.version == champion.version]
    if not judged:
        return None
    try:
        return predict_constant_beside(pipeline, judged[-1], rows, settings)
    except DataError:
        return None


def _compare(
    pipeline: Pipeline, version: int, rows: pd.DataFrame, constant: np.ndarray, labelled: list[date]
) -> Standing:
    label = rows[LABEL].to_numpy(dtype=float)
    scores, day = from_columns(pipeline.label, SCORE, rows), rows[DAY].to_numpy()

    def values(last: int) -> dict[str, tuple[float, float]]:
        first = labelled[max(0, last + 1 - _MOST)]
        some = (day >= first) & (day <= labelled[last])
        if len(set(label[some])) < 2:
            return {}
        return {
            name: (plain(name, label[some], scores[some]), plain(name, label[some], constant[some]))
            for name in pipeline.gate.skill
        }

    since = None
    for last in range(len(labelled) - 1, _FEWEST - 2, -1):
        if not any(gain(name, *pair) < 0 for name, pair in values(last).items()):
            break
        since = labelled[last] if last >= _FEWEST else labelled[0]
    return Standing(version, min(len(labelled), _MOST), values(len(labelled) - 1), since)
