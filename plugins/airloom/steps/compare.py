"""compare: how much better the challenger is than the champion, with its uncertainty, overall and on every slice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from airloom.core.gate import is_finite
from airloom.core.metrics import gain
from airloom.core.pipeline import Pipeline
from airloom.core.records import Evaluation
from airloom.core.settings import Settings
from airloom.core.verdict import Comparison, Effect, Skill, SliceEffect
from airloom.steps.blocks import Blocks, declared_blocks, judged_days
from airloom.steps.outputs import from_columns
from airloom.steps.training_sets import read_results
from airloom.steps.weighted_metrics import plain

if TYPE_CHECKING:
    import pandas as pd

    from airloom.steps.weighted_metrics import Codes


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
    compared = _Compared(pipeline, declared_blocks(pipeline, rows), pipeline.gate.confidence)
    return Comparison(
        effect=compared.effect(pipeline.gate.metric, rows, by_rows=True),
        guardrails=tuple(compared.effect(metric, rows) for metric in pipeline.gate.guardrails),
        slices=tuple(compared.slices(rows)),
    )


def compare_with_baselines(pipeline: Pipeline, evaluation: Evaluation, settings: Settings) -> tuple[Skill, ...]:
    """Compare the challenger with every baseline, in the metrics in which one must be beaten.

    Args:
        pipeline: The declaration.
        evaluation: What was scored; its results by row are on disk.
        settings: Where they are.

    Returns:
        The effects by baseline, with the confidence that the gate demands; none of an evaluation of before there were
        baselines.

    Raises:
        DataError: The results are not there any more.
    """
    if not evaluation.baselines:
        return ()
    rows, gate = read_results(evaluation.results, settings), pipeline.gate
    blocks = declared_blocks(pipeline, rows)
    confidence = gate.skill_confidence(first=evaluation.champion_version is None)
    against = partial(_Compared, pipeline, blocks, confidence)
    return tuple(
        Skill(baseline=name, effects=tuple(against(name).effect(metric, rows) for metric in gate.skill))
        for name, metrics in evaluation.baselines.items()
        if all(is_finite(metrics.get(metric)) for metric in gate.skill)
    )


def compare_after(pipeline: Pipeline, rows: pd.DataFrame) -> tuple[Effect, ...]:
    """Compare a champion with what was there before it, in the metrics in which the gate demands skill.

    Args:
        pipeline: The declaration.
        rows: Labelled rows with the day and what both have predicted, as `challenger` and `champion`.
    """
    compared = _Compared(pipeline, declared_blocks(pipeline, rows), pipeline.gate.confidence)
    return tuple(
        compared.effect(metric, rows) for metric in dict.fromkeys((pipeline.gate.metric, *pipeline.gate.skill))
    )


@dataclass(frozen=True)
class _Compared:
    """How the challenger is compared: by which rules, in which blocks of rows, how surely, and with what."""

    pipeline: Pipeline
    blocks: Blocks
    confidence: float
    other: str = "champion"

    def slices(self, rows: pd.DataFrame) -> Iterator[SliceEffect]:
        """Compare on every value of the declared columns; rows without a value are a slice of their own."""
        gate, label = self.pipeline.gate, self.pipeline.label
        if gate.slices is None:
            return
        for column in gate.slices.by:
            for value, some in rows.groupby(rows[column].astype("string").fillna("(none)"), sort=True):
                enough = len(some) >= gate.slices.min_rows and some[label.column].nunique() > 1
                effect = self.effect(gate.metric, some) if enough else None
                yield SliceEffect(column=column, value=str(value), rows=len(some), effect=effect)

    def effect(self, metric: str, rows: pd.DataFrame, by_rows: bool = False) -> Effect:
        """Return the difference in the metric's own direction, and the central interval that holds it."""
        import numpy as np

        from airloom.steps.intervals import spread

        label, days = rows[self.pipeline.label.column].to_numpy(dtype=float), judged_days(self.pipeline, metric, rows)
        mine, theirs = (from_columns(self.pipeline.label, side, rows) for side in ("challenger", self.other))
        values = [plain(metric, label, scores, days) for scores in (mine, theirs)]
        difference = gain(metric, *values)

        def ends(ways: Sequence[Codes]) -> tuple[float, float] | None:
            found = spread(metric, label, mine, theirs, ways, days)
            if found is None:
                return None
            margin = found.margin(self.confidence)
            return difference - margin, difference + margin

        lower, upper = ends(self.blocks.codes(rows)) or (None, None)
        return Effect(
            metric=metric,
            within=None if days is None else "day",
            challenger=values[0],
            champion=values[1],
            gain=difference,
            lower=lower,
            upper=upper,
            sampling=self.blocks.sampling(rows, self.pipeline.label.horizon),
            by_rows=ends([np.arange(len(rows))]) if by_rows else None,
        )
