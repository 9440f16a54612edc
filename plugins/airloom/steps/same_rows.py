"""Two versions on the same rows: what each is worth there, on every slice, and which columns it leans on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airloom.core.difference import Change
from airloom.core.errors import DataError
from airloom.core.metrics import gain, metrics_of
from airloom.core.pipeline import Pipeline
from airloom.steps.blocks import declared_blocks
from airloom.steps.training_sets import Rows
from airloom.steps.versions import KnownVersion

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

#: Importance is estimated on so many rows at most, each column shuffled so many times.
_SAMPLE, _SHUFFLES = 2000, 5


def metric_value(metric: str, label: np.ndarray, scores: np.ndarray) -> float | None:
    """Return a metric of some rows; None where it has no value, as on rows with one label only."""
    import numpy as np

    from airloom.steps.weighted_metrics import plain

    value = plain(metric, label, scores)
    return value if np.isfinite(value) else None


@dataclass(frozen=True)
class SameRows:
    """Two versions and the rows that both are judged on.

    Args:
        pipeline: The declaration: its gate's metric, its slices.
        old: The first version.
        new: The second version.
        rows: The rows.
    """

    pipeline: Pipeline
    old: KnownVersion
    new: KnownVersion
    rows: Rows

    @cached_property
    def label(self) -> np.ndarray:
        """The labels."""
        return self.rows.frame[self.pipeline.label.column].to_numpy(dtype=float)

    @cached_property
    def scores(self) -> tuple[np.ndarray, np.ndarray]:
        """What each version predicts.

        Raises:
            AirloomError: One of them cannot be loaded, or cannot score these rows.
        """
        return self.old.predict(self.rows.inputs), self.new.predict(self.rows.inputs)

    def metrics(self) -> Iterator[Change]:
        """Yield every metric of all rows, then the gate's metric by slice."""
        for metric in metrics_of(self.pipeline.label.kind):
            yield self._change(metric, metric, slice(None))
        gate = self.pipeline.gate
        for column in gate.slices.by if gate.slices else ():
            values = self.rows.frame[column].astype("string").fillna("(none)")
            for value in sorted(values.unique()):
                yield self._change(f"{gate.metric}, {column}={value}", gate.metric, (values == value).to_numpy(bool))

    def importance(self) -> list[Change]:
        """Return by how much the gate's metric falls when a column is shuffled, what has shifted most first.

        Permutation importance (Breiman, Random Forests, 2001), on the same shuffled rows for both versions.
        """
        sample = self._sample()
        old, new = (self._importance(version, sample) for version in (self.old, self.new))
        changes = [Change(name=name, old=old[name], new=new[name]) for name in old]
        return sorted(changes, key=lambda change: -abs(new[change.name] - old[change.name]))

    def _change(self, name: str, metric: str, where: Any) -> Change:
        old, new = (metric_value(metric, self.label[where], scores[where]) for scores in self.scores)
        note = "too few to tell" if old is None or new is None else self._judged(metric, gain(metric, new, old), where)
        return Change(name=name, old=old, new=new, note=note)

    def _judged(self, metric: str, difference: float, where: Any) -> str:
        """Say which way a difference is, and whether chance alone would show it, by the blocks of the gate."""
        from airloom.steps.intervals import spread

        if difference == 0:
            return "same"
        rows, (old, new) = self.rows.frame[where], self.scores
        ways = declared_blocks(self.pipeline, rows).codes(rows)
        found = spread(metric, self.label[where], new[where], old[where], ways)
        unsure = found is not None and abs(difference) <= found.margin(self.pipeline.gate.confidence)
        return ("better" if difference > 0 else "worse") + (", may be chance" if unsure else "")

    def _sample(self) -> np.ndarray:
        """Return the places of the rows that importance is estimated on, the same ones every time."""
        import numpy as np

        random, rows = np.random.default_rng(self.pipeline.train.seed), len(self.label)
        return np.sort(random.choice(rows, size=min(rows, _SAMPLE), replace=False))

    def _importance(self, version: KnownVersion, sample: np.ndarray) -> dict[str, float]:
        import numpy as np

        random, label = np.random.default_rng(self.pipeline.train.seed), self.label[sample]
        inputs = self.rows.inputs.iloc[sample].reset_index(drop=True)
        as_it_is = self._value(label, version.predict(inputs))
        shuffled = [random.permutation(len(label)) for _ in range(_SHUFFLES)]
        return {
            column: float(
                np.mean([as_it_is - self._value(label, each) for each in _without(version, inputs, column, shuffled)])
            )
            for column in self.rows.columns.all
        }

    def _value(self, label: np.ndarray, scores: np.ndarray) -> float:
        """Return the gate's metric, turned so that more is better."""
        metric = self.pipeline.gate.metric
        value = metric_value(metric, label, scores)
        if value is None:
            raise DataError(f"{metric} has no value on {len(label)} rows of the holdout.")
        return gain(metric, value, 0.0)


def _without(
    version: KnownVersion, inputs: pd.DataFrame, column: str, shuffled: list[np.ndarray]
) -> Iterator[np.ndarray]:
    """Yield what a version predicts when a column says nothing, once for each order of its values."""
    for order in shuffled:
        yield version.predict(inputs.assign(**{column: inputs[column].array[order]}))
