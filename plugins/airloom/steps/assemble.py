"""assemble: rows as they were scored, joined with their labels into the night's training set."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

from airloom.core.errors import DataError, NotDue
from airloom.core.pipeline import Pipeline
from airloom.core.records import Dataset, Leak, TrainingSet
from airloom.core.settings import Settings
from airloom.steps.columns import ModelColumns, join_features, model_columns
from airloom.steps.examples import DAY, add_labels, as_ofs, scored_rows
from airloom.steps.label import require_current_labels
from airloom.steps.leaks import find_leaks
from airloom.steps.outputs import label_codes
from airloom.steps.readiness import Needs, readiness, scored_days, training_inputs
from airloom.steps.training_sets import SPLIT, write_training_set
from airloom.stores.lake import Lake, PartitionVersion

if TYPE_CHECKING:
    import pandas as pd

_SIGNS = {
    "separation": "it tells the label by itself",
    "missingness": "the label is another where it is missing",
}

_log = logging.getLogger(__name__)


def assemble(pipeline: Pipeline, partition: date, settings: Settings) -> TrainingSet:
    """Make the training set as of a partition.

    An example is a row as `score` reads it for its day, with the features of that day's end, and its label.

    Args:
        pipeline: The declaration.
        partition: The as-of.
        settings: Where lake and feature store are.

    Returns:
        The training set: the same one whenever the same versions are published.

    Raises:
        NotDue: The window is not complete, or labels are not of what is published now.
        DataError: The rows are nothing to learn from.
    """
    _require_due(pipeline, partition, settings)
    lake = Lake(settings.lake / pipeline.name)
    read = training_inputs(pipeline, partition)
    commits = _commits(pipeline, lake, read)
    require_current_labels(pipeline, partition, lake.at(commits), settings)
    versions = _versions(lake.at(commits), read)
    joined = examples_at(pipeline, partition, commits, settings)
    _require_learnable(pipeline, joined.frame, joined.columns)
    leaks = _leaks(pipeline, joined)
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
        leaks=leaks,
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
        DataError: A commit cannot be read any more, or rows and labels cannot be matched.
    """
    lake = Lake(settings.lake / pipeline.name, commits)
    days = scored_days(pipeline, partition)
    rows, late = scored_rows(pipeline, days, lake)
    labelled, dropped = add_labels(pipeline, rows, partition, lake)
    split = labelled[DAY].map(_splits(pipeline, days))
    used = labelled[split.notna()].reset_index(drop=True)
    columns = model_columns(pipeline, settings)
    joined = join_features(pipeline, settings, used, as_ofs(pipeline, used), commits)
    joined[SPLIT] = split[split.notna()].to_numpy()
    joined[pipeline.label.column] = label_codes(pipeline.label, joined[pipeline.label.column])
    kept = [*pipeline.tables[pipeline.score.entities].key, DAY, SPLIT, *columns.all, pipeline.label.column]
    left_out = {"known too late to be scored": late, **dropped, "in the embargo": int(split.isna().sum())}
    return Examples(joined[kept], columns, left_out)


def _splits(pipeline: Pipeline, days: list[date]) -> dict[date, str]:
    """Return the split of each day: the newest are held out, and those before, whose outcomes overlap, are of none."""
    first_held_out = days[-1] - pipeline.train.holdout + timedelta(days=1)
    first_left_out = first_held_out - pipeline.label.embargo
    learned = {day: "train" for day in days if day < first_left_out}
    return learned | {day: "holdout" for day in days if day >= first_held_out}


def _require_due(pipeline: Pipeline, partition: date, settings: Settings) -> None:
    ready = readiness(pipeline, "train", partition, settings)
    if ready.missing or ready.blocked:
        raise NotDue(f"The training window as of {partition} has gaps: {ready}.", do="publish the days, then run again")


def _commits(pipeline: Pipeline, lake: Lake, read: Needs) -> dict[str, int]:
    """Return the newest commit of what is read, and of the raw tables behind the features and the labels."""
    behind = (*pipeline.features.reads, *(pipeline.label.reads or ()))
    tables = dict.fromkeys([*read, *(f"raw.{table}" for table in behind)])
    return {table: commit for table in tables if (commit := lake.commit(table)) is not None}


def _versions(lake: Lake, read: Needs) -> dict[str, list[PartitionVersion]]:
    versions = {}
    for table, days in read.items():
        published = lake.partitions(table)
        versions[table] = [published[day] for day in days if day in published]
    return versions


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


def _leaks(pipeline: Pipeline, examples: Examples) -> tuple[Leak, ...]:
    """Name the columns that seem to know the label; where that is declared, training stops at one."""
    learned = examples.frame[examples.frame[SPLIT] == "train"]
    leaks = find_leaks(learned, examples.columns, pipeline.label)
    if not leaks:
        return ()
    told = "; ".join(f"{leak.column}: {_SIGNS[leak.sign]}" for leak in leaks)
    if pipeline.train.leak == "block":
        raise DataError(
            f"Columns seem to know the label {pipeline.label.column}.",
            found=told,
            expected="nothing that becomes known with the outcome, or because of it",
            do="take the column out of the declaration or correct when its rows are known; "
            "if it is an honest one, declare `train.leak: warn`",
        )
    _log.warning("Columns seem to know the label %s: %s.", pipeline.label.column, told)
    return leaks


def _headline(rows: int, holdout_rows: int, columns: int, dropped: dict[str, int]) -> str:
    left_out = ", ".join(f"{count} {reason}" for reason, count in dropped.items() if count)
    return f"{rows} rows to learn from, {holdout_rows} held out, {columns} columns" + (
        f"; left out: {left_out}" if left_out else ""
    )
