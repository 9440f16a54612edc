"""compare: how much better the challenger is than the champion, with its uncertainty, overall and on every slice."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from airloom.core.errors import DataError
from airloom.core.fingerprint import fingerprint
from airloom.core.gate import Comparison, Effect, SliceEffect, is_finite
from airloom.core.metrics import gain
from airloom.core.pipeline import Gate, Pipeline
from airloom.core.records import Evaluation
from airloom.core.settings import Settings
from airloom.steps.resampling import WEIGHTED, paired_differences

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

#: The interval rests on so many samples; at a confidence of 0.95 twenty-five of them lie below it.
SAMPLES = 1000


def compare(pipeline: Pipeline, evaluation: Evaluation, settings: Settings) -> Comparison | None:
    """Compare challenger and champion by their results for the same rows.

    Args:
        pipeline: The declaration.
        evaluation: What was scored; its results by row are on disk.
        settings: Where they are.

    Returns:
        The effect on the gate's metric, and on every declared slice with enough rows; None without a champion that
        could be scored.

    Raises:
        DataError: The results are not there any more.
    """
    import pandas as pd

    champion = evaluation.metrics.get("champion", {})
    if evaluation.champion_version is None or not is_finite(champion.get(pipeline.gate.metric)):
        return None
    file = settings.training / evaluation.results
    if not file.is_file():
        raise DataError("The results by row are not there any more.", where=str(file), do="run evaluate again")
    rows = pd.read_parquet(file)
    seed = int(fingerprint([evaluation.rows_digest, evaluation.challenger_version, evaluation.champion_version]), 16)
    label = pipeline.label.column
    effect = _effect(pipeline.gate, rows, label, seed)
    return Comparison(effect=effect, slices=tuple(_slices(pipeline.gate, rows, label, seed)))


def _slices(gate: Gate, rows: pd.DataFrame, label: str, seed: int) -> Iterator[SliceEffect]:
    """Compare on every value of the declared columns; rows without a value are a slice of their own."""
    if gate.slices is None:
        return
    for column in gate.slices.by:
        for value, some in rows.groupby(rows[column].astype("string").fillna("(none)"), sort=True):
            enough = len(some) >= gate.slices.min_rows and some[label].nunique() == 2
            effect = _effect(gate, some, label, seed) if enough else None
            yield SliceEffect(column=column, value=str(value), rows=len(some), effect=effect)


def _effect(gate: Gate, rows: pd.DataFrame, label: str, seed: int) -> Effect:
    """Return the difference in the metric's own direction, and the central interval that holds it."""
    import numpy as np

    labels, mine, theirs = (rows[name].to_numpy(dtype=float) for name in (label, "challenger", "champion"))
    differences = paired_differences(gate.metric, labels, mine, theirs, SAMPLES, seed)
    gains = np.array([gain(gate.metric, difference, 0.0) for difference in differences[np.isfinite(differences)]])
    values = [float(_once(gate.metric, labels, scores)[0]) for scores in (mine, theirs)]
    lower, upper = np.quantile(gains, [(1 - gate.confidence) / 2, (1 + gate.confidence) / 2])
    return Effect(
        challenger=values[0],
        champion=values[1],
        gain=gain(gate.metric, *values),
        lower=float(lower),
        upper=float(upper),
        samples=len(gains),
    )


def _once(metric: str, label: np.ndarray, scores: np.ndarray) -> Any:
    """Return the metric of all rows, each counted once."""
    import numpy as np

    return WEIGHTED[metric](label, scores, np.ones((1, len(label))))
