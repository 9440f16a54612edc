"""compare: how much better the challenger is than the champion, with its uncertainty, overall and on every slice."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airloom.core.fingerprint import fingerprint
from airloom.core.gate import is_finite
from airloom.core.metrics import gain
from airloom.core.pipeline import Label, Pipeline
from airloom.core.records import Evaluation
from airloom.core.rules import Gate
from airloom.core.settings import Settings
from airloom.core.verdict import Comparison, Effect, SliceEffect
from airloom.steps.outputs import from_columns
from airloom.steps.resampling import paired_differences
from airloom.steps.training_sets import read_results
from airloom.steps.weighted_metrics import plain

if TYPE_CHECKING:
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
    champion = evaluation.metrics.get("champion", {})
    if evaluation.champion_version is None or not is_finite(champion.get(pipeline.gate.metric)):
        return None
    rows = read_results(evaluation.results, settings)
    seed = int(fingerprint([evaluation.rows_digest, evaluation.challenger_version, evaluation.champion_version]), 16)
    compared = _Compared(pipeline.gate, pipeline.label, seed)
    return Comparison(
        effect=compared.effect(pipeline.gate.metric, rows),
        guardrails=tuple(compared.effect(metric, rows) for metric in pipeline.gate.guardrails),
        slices=tuple(compared.slices(rows)),
    )


@dataclass(frozen=True)
class _Compared:
    """How two models are compared: by which rules, on which kind of label, from which seed."""

    gate: Gate
    label: Label
    seed: int

    def slices(self, rows: pd.DataFrame) -> Iterator[SliceEffect]:
        """Compare on every value of the declared columns; rows without a value are a slice of their own."""
        if self.gate.slices is None:
            return
        for column in self.gate.slices.by:
            for value, some in rows.groupby(rows[column].astype("string").fillna("(none)"), sort=True):
                enough = len(some) >= self.gate.slices.min_rows and some[self.label.column].nunique() > 1
                effect = self.effect(self.gate.metric, some) if enough else None
                yield SliceEffect(column=column, value=str(value), rows=len(some), effect=effect)

    def effect(self, metric: str, rows: pd.DataFrame) -> Effect:
        """Return the difference in the metric's own direction, and the central interval that holds it."""
        import numpy as np

        label = rows[self.label.column].to_numpy(dtype=float)
        mine, theirs = (from_columns(self.label, side, rows) for side in ("challenger", "champion"))
        differences = paired_differences(metric, label, mine, theirs, SAMPLES, self.seed)
        gains = np.array([gain(metric, difference, 0.0) for difference in differences[np.isfinite(differences)]])
        values = [plain(metric, label, scores) for scores in (mine, theirs)]
        tails = [(1 - self.gate.confidence) / 2, (1 + self.gate.confidence) / 2]
        lower, upper = np.quantile(gains, tails) if len(gains) else (np.nan, np.nan)
        return Effect(
            metric=metric,
            challenger=values[0],
            champion=values[1],
            gain=gain(metric, *values),
            lower=float(lower),
            upper=float(upper),
            samples=len(gains),
        )
