"""assemble: labels and features joined point in time into the night's training set."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

from airloom.core.errors import DataError, NotDue
from airloom.core.partitions import as_of
from airloom.core.pipeline import Pipeline
from airloom.core.records import Dataset, TrainingSet
from airloom.core.settings import Settings
from airloom.steps.columns import ModelColumns, join_features, model_columns
from airloom.steps.outputs import label_codes
from airloom.steps.readiness import Needs, label_days, needs, readiness
from airloom.steps.training_sets import SPLIT, write_training_set
from airloom.stores.lake import Lake, PartitionVersion

if TYPE_CHECKING:
    import pandas as pd

#: The day that a row was published for; no table may have a column of its own by that name.
DAY = "partition"

_log = logging.getLogger(__name__)


def assemble(pipeline: Pipeline, partition: date, settings: Settings) -> TrainingSet:
    """Make the training set as of a partition.

    A row of day d gets the features that were known at the end of d-1, as a row that is scored does.

    Args:
        pipeline: The declaration.
        partition: The as-of.
        settings: Where lake and feature store are.

    Returns:
        The training set: the same one whenever the same versions are published.

    Raises:
        NotDue: The window is not complete.
        DataError: The rows are nothing to learn from.
    """
    _require_due(pipeline, partition, settings)
    lake = Lake(settings.lake / pipeline.name)
    read = needs(pipeline, "train", partition)
    commits = _commits(pipeline, lake, read)
    versions = _versions(lake.at(commits), read)
    joined = examples_at(pipeline, partition, commits, settings)
    _require_learnable(pipeline, joined.frame, joined.columns)
    digest, path = write_training_set(pipeline, partition, joined.frame, joined.columns, settings)
    holdout_rows = int((joined.frame[SPLIT] == "holdout").sum())
    return TrainingSet(
        pipeline=pipeline.name,
        partition=partition,
        headline=_headline(len(joined.frame) - holdout_rows, holdout_rows, len(joined.columns.all), joined.dropped),
        digest=digest,
        path=path,
        rows=len(joined.frame) - holdout_rows,
        holdout_rows=holdout_rows,
        degraded=any(version.degraded for each in versions.values() for version in each),
        dropped=joined.dropped,
        lake=commits,
        inputs=tuple(
            Dataset(name=table, partition=version.partition, version=version.version, commit=commits.get(table))
            for table, published in versions.items()
            for version in published
        ),
        outputs=(
            Dataset(
                name="training",
                partition=partition,
                version=digest,
                rows=len(joined.frame),
                columns={str(name): str(kind) for name, kind in joined.frame.dtypes.items()},
            ),
        ),
    )


@dataclass(frozen=True)
class Examples:
    """Labelled rows with their features.

    Args:
        frame: Keys, day, split, what models read and the label.
        columns: What models read.
        dropped: Rows of the window that were left out, by reason.
    """

    frame: pd.DataFrame
    columns: ModelColumns
    dropped: dict[str, int]


def examples_at(pipeline: Pipeline, partition: date, commits: Mapping[str, int], settings: Settings) -> Examples:
    """Join the rows of a training set from the lake as it was at a commit of each table; nothing is written.

    Args:
        pipeline: The declaration.
        partition: The as-of.
        commits: The commit at which each table is read.
        settings: Where lake and feature store are.

    Raises:
        DataError: A commit cannot be read any more.
    """
    rows, dropped = _labelled(pipeline, partition, Lake(settings.lake / pipeline.name, commits))
    columns = model_columns(pipeline, settings)
    moments = rows[DAY].map(lambda day: as_of(day - timedelta(days=1), pipeline.schedule.timezone))
    joined = join_features(pipeline, settings, rows, moments, commits)
    newest_trained = partition - pipeline.label.known_after - pipeline.train.holdout
    joined[SPLIT] = ["train" if day <= newest_trained else "holdout" for day in joined[DAY]]
    joined[pipeline.label.column] = label_codes(pipeline.label, joined[pipeline.label.column])
    kept = [*pipeline.tables[pipeline.label.table].key, DAY, SPLIT, *columns.all, pipeline.label.column]
    return Examples(joined[kept], columns, dropped)


def _require_due(pipeline: Pipeline, partition: date, settings: Settings) -> None:
    ready = readiness(pipeline, "train", partition, settings)
    if ready.missing or ready.blocked:
        raise NotDue(f"The training window as of {partition} has gaps: {ready}.", do="publish the days, then run again")


def _commits(pipeline: Pipeline, lake: Lake, read: Needs) -> dict[str, int]:
    """Return the newest commit of what is read, and of the raw tables behind the features."""
    tables = dict.fromkeys([*read, *(f"raw.{view.reads}" for view in pipeline.features.views.values())])
    return {table: commit for table in tables if (commit := lake.commit(table)) is not None}


def _versions(lake: Lake, read: Needs) -> dict[str, list[PartitionVersion]]:
    versions = {}
    for table, days in read.items():
        published = lake.partitions(table)
        versions[table] = [published[day] for day in days if day in published]
    return versions


def _labelled(pipeline: Pipeline, partition: date, lake: Lake) -> tuple[pd.DataFrame, dict[str, int]]:
    """Read the window's rows whose label is known as of the partition, and count the others by reason."""
    import pandas as pd

    table = pipeline.tables[pipeline.label.table]
    name = f"raw.{pipeline.label.table}"
    columns = [*_columns(lake, name), DAY]
    rows = lake.read(name, label_days(pipeline, partition), columns=columns)
    rows[DAY] = rows[DAY].map(date.fromisoformat)
    without = rows[pipeline.label.column].isna()
    later = ~without & (pd.to_datetime(rows[table.known_at], utc=True) > as_of(partition, pipeline.schedule.timezone))
    dropped = {"without a label": int(without.sum()), "label known later": int(later.sum())}
    return rows[~without & ~later].sort_values([DAY, *table.key], ignore_index=True), dropped


def _columns(lake: Lake, table: str) -> list[str]:
    from airloom.stores.lake import PARTITION_COLUMNS

    dataset = lake.dataset(table, [])
    return [] if dataset is None else [name for name in dataset.schema.names if name not in PARTITION_COLUMNS]


def _require_learnable(pipeline: Pipeline, examples: pd.DataFrame, columns: ModelColumns) -> None:
    """Stop at a column that cannot teach anything: better no new model than one that learned from a hole."""
    for split, rows in examples.groupby(SPLIT):
        if rows[pipeline.label.column].nunique() < 2:
            raise DataError(
                f"The label {pipeline.label.column} has only one value in the {split} rows.",
                found=f"{rows[pipeline.label.column].iloc[0]:g} in all of {len(rows)} rows",
                do="correct the label in the source, or lengthen the window",
            )
    learned = examples[examples[SPLIT] == "train"][columns.all]
    empty = [name for name in columns.all if learned[name].isna().all()]
    if empty:
        raise DataError(
            f"There is no value at all in {', '.join(empty)}.",
            found=f"{len(learned)} rows to learn from, all of them empty",
            do="correct the view's SQL or its source, or take the column out of the declaration",
        )
    constant = [name for name in columns.all if learned[name].nunique() == 1]
    if constant:
        _log.warning("Columns with one value only teach nothing: %s.", ", ".join(constant))


def _headline(rows: int, holdout_rows: int, columns: int, dropped: dict[str, int]) -> str:
    left_out = ", ".join(f"{count} {reason}" for reason, count in dropped.items() if count)
    return f"{rows} rows to learn from, {holdout_rows} held out, {columns} columns" + (
        f"; left out: {left_out}" if left_out else ""
    )
