"""Blocks: which rows of a holdout belong together, so that they count as one observation of how good a model is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from airloom.core.errors import DataError
from airloom.core.pipeline import Pipeline
from airloom.core.rules import DAY, ENTITY, ROW
from airloom.core.verdict import Sampling
from airloom.steps.examples import DAY as PARTITION
from airloom.steps.examples import entity

if TYPE_CHECKING:
    import pandas as pd

    from airloom.steps.weighted_metrics import Codes

_DAY_LONG = timedelta(days=1)


@dataclass(frozen=True)
class Blocks:
    """In which ways rows belong together.

    Args:
        names: What each way is called.
        columns: The columns whose values are the blocks, by way; none where each row is a block of its own.
    """

    names: tuple[str, ...]
    columns: tuple[tuple[str, ...], ...]

    def codes(self, rows: pd.DataFrame) -> list[Codes]:
        """Return the number of the block of every row, by way."""
        import numpy as np

        numbers = [
            rows.groupby(list(each), dropna=False).ngroup() if each else range(len(rows)) for each in self.columns
        ]
        return [np.asarray(each, dtype=np.int64) for each in numbers]

    def sampling(self, rows: pd.DataFrame, horizon: timedelta) -> Sampling:
        """Describe the sample: its rows, its blocks, and how many of them are independent of each other.

        Outcomes of days that lie within one horizon overlap, so that only every so many days are independent.

        Args:
            rows: The rows.
            horizon: How long after its day a row's outcome may happen.
        """
        counts = {name: int(codes.max()) + 1 for name, codes in zip(self.names, self.codes(rows), strict=True)}
        overlap = max(horizon / _DAY_LONG, 1.0)
        effective = [count / overlap if name == DAY else count for name, count in counts.items()]
        return Sampling(rows=len(rows), blocks=counts, effective=min(effective))


def declared_blocks(pipeline: Pipeline, rows: pd.DataFrame) -> Blocks:
    """Return the ways in which a pipeline's rows belong together.

    Rows of one day do. Where an entity is scored on several days, its rows do, too: they share its habits, and most of
    the time in which their outcomes happen. `gate.cluster` declares something else.

    Args:
        pipeline: The declaration.
        rows: Rows with the day, the key of the scored rows and the declared columns.

    Raises:
        DataError: A column that is declared is not there.
    """
    names = pipeline.gate.cluster or ((ENTITY, DAY) if _recurs(pipeline, rows) else (DAY,))
    columns = tuple(tuple(_columns(pipeline, rows, name)) for name in names)
    if missing := [name for each in columns for name in each if name not in rows]:
        raise DataError(
            "The rows lack columns that they are to be grouped by.",
            where=f"pipeline {pipeline.name}, gate.cluster",
            found=", ".join(map(str, rows.columns)),
            expected=", ".join(missing),
            do="correct the declaration, or run evaluate again: older results do not have the day",
        )
    return Blocks(names, columns)


def judged_days(pipeline: Pipeline, metric: str, rows: pd.DataFrame) -> Codes | None:
    """Return the number of the day of every row where a metric is judged day by day, None where over all rows.

    Args:
        pipeline: The declaration: `gate.within` is about the gate's own metric.
        metric: The metric.
        rows: Rows with the day.
    """
    import numpy as np

    if pipeline.gate.within is None or metric != pipeline.gate.metric:
        return None
    return np.asarray(rows.groupby(PARTITION).ngroup(), dtype=np.int64)


def _columns(pipeline: Pipeline, rows: pd.DataFrame, name: str) -> list[str]:
    if name == ENTITY:
        return entity(pipeline, rows)
    return {DAY: [PARTITION], ROW: []}.get(name, [name])


def _recurs(pipeline: Pipeline, rows: pd.DataFrame) -> bool:
    """Tell whether an entity is scored on several days."""
    if PARTITION not in rows:
        return False
    own = entity(pipeline, rows)
    return bool(rows[[*own, PARTITION]].drop_duplicates().duplicated(own).any())
