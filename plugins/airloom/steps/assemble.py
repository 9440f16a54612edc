"""assemble: rows as they were scored, joined with their labels into the night's training set."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from airloom.core.errors import DataError, NotDue
from airloom.core.partitions import require_ended
from airloom.core.pipeline import Pipeline
from airloom.core.records import Dataset, Leak, TrainingSet
from airloom.core.settings import Settings
from airloom.core.wording import counted, lasting, listed
from airloom.steps.columns import ModelColumns, join_features, model_columns
from airloom.steps.examples import DAY, add_labels, as_ofs, scored_rows
from airloom.steps.heal import LIMIT, Healed, heal_features, healing_command
from airloom.steps.label import require_current_labels
from airloom.steps.leaks import find_leaks, require_no_future
from airloom.steps.readiness import Needs, require_whole_days, scored_days, training_inputs, usable_days
from airloom.steps.staleness import Staleness
from airloom.steps.training_sets import SPLIT, write_training_set
from airloom.stores.lake import Lake, PartitionVersion

if TYPE_CHECKING:
    import pandas as pd

_log = logging.getLogger(__name__)


def assemble(pipeline: Pipeline, partition: date, settings: Settings) -> TrainingSet:
    """Make the training set as of a partition.

    An example is a row as `score` reads it for its day, with the features of that day's end, and its label. Features
    that are stale are healed first; a day whose features cannot be computed is a gap, and what is left of it is not
    joined to other days either.

    Args:
        pipeline: The declaration.
        partition: The as-of.
        settings: Where lake and feature store are.

    Returns:
        The training set: the same one whenever the same versions are published.

    Raises:
        NotDue: The window is not complete, labels are not of what is published now, or healing the features takes long.
        DataError: The rows are nothing to learn from.
    """
    require_ended(partition, pipeline.schedule.timezone)
    read, scored = training_inputs(pipeline, partition), scored_days(pipeline, partition)
    healed = heal_features(pipeline, scored, settings)
    _require_healed(pipeline, healed)
    commits = _commits(pipeline, Lake(settings.lake / pipeline.name), read)
    then = Lake(settings.lake / pipeline.name, commits)
    require_current_labels(pipeline, partition, then, settings)
    lake = Staleness.read(pipeline, settings, then).current(scored)
    require_whole_days(pipeline, partition, usable_days(pipeline, scored, partition, lake), settings)
    versions = _versions(lake, read)
    joined = examples_at(pipeline, partition, lake, settings)
    _require_learnable(pipeline, joined.frame, joined.columns)
    leaks = _leaks(pipeline, joined)
    digest, path = write_training_set(pipeline, partition, joined.frame, joined.columns, settings)
    holdout_rows = int((joined.frame[SPLIT] == "holdout").sum())
    inputs = tuple(
        Dataset(name=table, partition=version.partition, version=version.version, commit=commits.get(table))
        for table, published in versions.items()
        for version in published
    )
    return TrainingSet(
        pipeline=pipeline.name,
        partition=partition,
        headline=_headline(len(joined.frame) - holdout_rows, holdout_rows, len(joined.columns.all), joined.dropped)
        + str(healed),
        digest=digest,
        path=path,
        rows=len(joined.frame) - holdout_rows,
        holdout_rows=holdout_rows,
        degraded=bool(lake.left_out) or any(version.degraded for each in versions.values() for version in each),
        dropped=joined.dropped,
        leaks=leaks,
        lake=commits,
        left_out={table: tuple(days) for table, days in lake.left_out.items()},
        inputs=(*healed.inputs, *inputs),
        outputs=(
            *healed.outputs,
            Dataset(
                name="training",
                partition=partition,
                version=digest,
                rows=len(joined.frame),
                columns={str(name): str(kind) for name, kind in joined.frame.dtypes.items()},
                made_of=inputs,
            ),
        ),
    )


def _require_healed(pipeline: Pipeline, healed: Healed) -> None:
    """Stop where healing the features of the window is a work of its own.

    Raises:
        NotDue: It is.
    """
    if healed.left:
        raise NotDue(
            f"The features of {counted(len(healed.left), 'day')} are not what today's inputs, SQL and types give.",
            found=f"{listed([*map(str, healed.left)])}; healing all of them takes longer than {lasting(LIMIT)}",
            do=f"{healing_command(pipeline.name, healed.left)}; then train again",
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


def examples_at(pipeline: Pipeline, partition: date, lake: Lake, settings: Settings) -> Examples:
    """Join the rows of a training set from the lake as it was at a commit of each table; nothing is written.

    Args:
        pipeline: The declaration.
        partition: The as-of.
        lake: The tables, as they are read.
        settings: Where lake and feature store are.

    Raises:
        DataError: A commit cannot be read any more, or rows and labels cannot be matched.
    """
    scored = scored_days(pipeline, partition)
    days = usable_days(pipeline, scored, partition, lake)
    require_no_future(pipeline, lake, days)
    rows, late = scored_rows(pipeline, scored, lake)
    whole = rows[DAY].isin(days)
    labelled, dropped = add_labels(pipeline, rows[whole], partition, lake)
    split = labelled[DAY].map(_splits(pipeline, days))
    left_out = {
        "known too late to be scored": late,
        "on days with gaps": int((~whole).sum()),
        **dropped,
        "in the embargo": int(split.isna().sum()),
    }
    _require_both_splits(split, left_out)
    used = labelled[split.notna()].reset_index(drop=True)
    columns = model_columns(pipeline, settings)
    joined = join_features(pipeline, settings, used, as_ofs(pipeline, used), lake)
    joined[SPLIT] = split[split.notna()].to_numpy()
    weight = _weight(pipeline, joined)
    key = pipeline.tables[pipeline.score.entities].key
    kept = dict.fromkeys([*key, DAY, SPLIT, *columns.all, *weight, pipeline.label.column])
    return Examples(joined[[*kept]], columns, left_out)


def _require_both_splits(split: pd.Series[Any], left_out: Mapping[str, int]) -> None:
    """Stop where no row is left to learn from, or none to be judged on, and say what became of the rows."""
    for name, purpose in (("train", "to learn from"), ("holdout", "held out")):
        if not (split == name).any():
            raise DataError(
                f"There are no rows {purpose}.",
                found=", ".join(f"{count} {reason}" for reason, count in left_out.items() if count) or "no scored row",
                do="compare `label.key`, `horizon` and `delay` with the rows of the label",
            )


def _weight(pipeline: Pipeline, rows: pd.DataFrame) -> list[str]:
    """Return the column of weights, if there is one, and make sure that it holds nothing else."""
    import numpy as np
    import pandas as pd

    name = pipeline.train.weight
    if name is None:
        return []
    if name not in rows:
        raise DataError(
            f"The scored rows have no column {name!r} to weight them by.",
            where=f"pipeline {pipeline.name}, train.weight",
            found=", ".join(map(str, rows.columns)),
        )
    weights = pd.to_numeric(rows[name], errors="coerce").to_numpy(dtype=float, na_value=np.nan)
    wrong = int((~np.isfinite(weights) | (weights < 0)).sum())
    if wrong:
        raise DataError(
            "Weights of rows are no weights.",
            where=f"pipeline {pipeline.name}, column {name}",
            found=f"{wrong} of {len(rows)} rows",
            expected="finite numbers, 0 or more",
        )
    return [name]


def _splits(pipeline: Pipeline, days: list[date]) -> dict[date, str]:
    """Return the split of each day: the newest are held out, and those before, whose outcomes overlap, are of none."""
    held_out = days[-pipeline.train.holdout.days :]
    learned = [day for day in days if day < held_out[0] - pipeline.label.embargo]
    return dict.fromkeys(learned, "train") | dict.fromkeys(held_out, "holdout")


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
                found=f"the same in all of {len(rows)} rows",
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
    found = "; ".join(map(str, leaks))
    if pipeline.train.leak == "block":
        raise DataError(
            f"Columns seem to know the label {pipeline.label.column}.",
            found=found,
            expected="nothing that becomes known with the outcome, or because of it",
            do="take the column out of the declaration or correct when its rows are known; "
            "if it is an honest one, declare `train.leak: warn`",
        )
    _log.warning("Columns seem to know the label %s: %s.", pipeline.label.column, found)
    return leaks


def _headline(rows: int, holdout_rows: int, columns: int, dropped: dict[str, int]) -> str:
    left_out = ", ".join(f"{count} {reason}" for reason, count in dropped.items() if count)
    return f"{rows} rows to learn from, {holdout_rows} held out, {columns} columns" + (
        f"; left out: {left_out}" if left_out else ""
    )
