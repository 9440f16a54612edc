"""label: what happened to the rows that were scored, by the declared query, one partition a mature day."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from airloom.core.errors import NotDue, SetupError
from airloom.core.partitions import require_ended
from airloom.core.pipeline import Pipeline
from airloom.core.records import Dataset, Labelled
from airloom.core.settings import Settings
from airloom.core.wording import counted
from airloom.steps.examples import DAY, scored_rows
from airloom.steps.feature_query import query_engine
from airloom.steps.label_inputs import LabelInputs
from airloom.steps.label_query import run_label_query
from airloom.steps.raw_days import read_raw
from airloom.steps.readiness import LABELS, mature_days, require_whole_days, scored_days
from airloom.stores.content import content_version
from airloom.stores.lake import Lake, PartitionVersion

if TYPE_CHECKING:
    import pyarrow as pa

#: How often what is published may change while labels are computed.
_ROUNDS = 5


def compute_labels(pipeline: Pipeline, partition: date, settings: Settings) -> Labelled:
    """Compute the labels of the training window as of a partition that are not there, or not of what is published.

    A day's labels are computed from what was published up to its maturity and known by then. They are a function of
    these versions, the scored rows and the query, so trainings of several days share them.

    Args:
        pipeline: The declaration, whose label is a query.
        partition: The day as of which to train.
        settings: Where declaration and lake are.

    Returns:
        What was computed.

    Raises:
        NotDue: The window is not complete.
        DeclarationError: The SQL cannot be run.
        DataError: The query gave something else than one label a row.
        SetupError: What is published kept changing.
    """
    require_ended(partition, pipeline.schedule.timezone)
    lake = Lake(settings.lake / pipeline.name)
    days = _computable_days(pipeline, partition, lake)
    require_whole_days(pipeline, partition, days, settings)
    written: dict[date, _Written] = {}
    for _ in range(_ROUNDS):
        then = lake.at(_commits(pipeline, lake))
        inputs = LabelInputs.read(pipeline, then, settings)
        stale = [day for day in days if not inputs.is_current(day)]
        if not stale:
            return _labelled(inputs, lake, partition, days, written)
        written |= _compute_all(inputs, lake, then, stale)
    raise SetupError(
        f"What the labels up to {partition} are computed from kept changing.",
        where=f"pipeline {pipeline.name}",
        found=", ".join(f"{LABELS} {day}" for day in stale),
        do="wait until no run publishes these days, then run again",
    )


def _computable_days(pipeline: Pipeline, partition: date, lake: Lake) -> list[date]:
    """Return the days of the window whose rows, and all that their labels are computed from, are published."""
    scored = lake.partitions(f"raw.{pipeline.score.entities}")
    return [day for day in mature_days(pipeline, scored_days(pipeline, partition), partition, lake) if day in scored]


def _commits(pipeline: Pipeline, lake: Lake) -> dict[str, int]:
    """Return the newest commit of every raw table that is read: rows and versions are then of one moment."""
    tables = dict.fromkeys((pipeline.score.entities, *(pipeline.label.reads or ())))
    return {f"raw.{table}": commit for table in tables if (commit := lake.commit(f"raw.{table}")) is not None}


def require_current_labels(pipeline: Pipeline, partition: date, lake: Lake, settings: Settings) -> None:
    """Make sure that the labels of a training window are of what a lake has published; a label in a table always is.

    Args:
        pipeline: The declaration.
        partition: The day as of which to train.
        lake: The tables, as they are read.
        settings: Where the declaration is.

    Raises:
        NotDue: Some are not.
    """
    if pipeline.label.sql is None:
        return
    inputs, days = LabelInputs.read(pipeline, lake, settings), _computable_days(pipeline, partition, lake)
    stale = [day for day in days if not inputs.is_current(day)]
    if stale:
        raise NotDue(
            f"The labels of {counted(len(stale), 'day')} from {stale[0]} on are not of what is published now.",
            do="run the task label again, then assemble",
        )


@dataclass(frozen=True)
class _Written:
    """What was computed for one day, whether the lake had it already, and how many results were of no scored row."""

    dataset: Dataset
    new: bool
    ignored: int


def _compute_all(inputs: LabelInputs, lake: Lake, then: Lake, stale: list[date]) -> dict[date, _Written]:
    """Compute and publish the labels of some days from the lake as it was when the inputs were read."""
    import pyarrow as pa

    pipeline, written = inputs.pipeline, {}
    days = sorted({each for day in stale for each in inputs.days(day)})
    raw = {table: read_raw(pipeline, then, table, days).rows for table in pipeline.label.reads or ()}
    scored, _ = scored_rows(pipeline, stale, then)
    with query_engine(pipeline.schedule.timezone) as engine:
        for day in stale:
            examples = pa.Table.from_pandas(scored[scored[DAY] == day].drop(columns=DAY), preserve_index=False)
            rows, ignored = run_label_query(engine, inputs, day, raw, examples)
            written[day] = _publish(inputs, lake, day, rows, ignored)
    return written


def _publish(inputs: LabelInputs, lake: Lake, day: date, rows: pa.Table, ignored: int) -> _Written:
    """Replace one day's labels; another training may have published the very same meanwhile."""
    published = PartitionVersion(day, content_version(rows), inputs.fingerprint(day), inputs.degraded(day))
    read = {
        table: {each.partition.isoformat(): each.version for each in found}
        for table, found in inputs.found(day).items()
    }
    new = lake.replace(LABELS, published, rows, {"reads": read})
    columns = {field.name: str(field.type) for field in rows.schema}
    dataset = _dataset(inputs, lake, published, rows.num_rows)
    return _Written(dataset.model_copy(update={"columns": columns, "unchanged": not new}), new, ignored)


def _dataset(inputs: LabelInputs, lake: Lake, published: PartitionVersion, rows: int) -> Dataset:
    scored, day = inputs.scored(published.partition), published.partition
    read = {f"raw.{table}": {each.partition: each for each in found} for table, found in inputs.found(day).items()}
    if scored is not None:
        read.setdefault(f"raw.{inputs.pipeline.score.entities}", {})[day] = scored
    return Dataset(
        name=LABELS,
        partition=day,
        version=published.version,
        rows=rows,
        commit=lake.commit(LABELS),
        unchanged=True,
        made_of=tuple(
            Dataset(name=table, partition=each.partition, version=each.version)
            for table, found in read.items()
            for each in found.values()
        ),
    )


def _labelled(
    inputs: LabelInputs, lake: Lake, partition: date, days: list[date], written: Mapping[date, _Written]
) -> Labelled:
    present = lake.read(LABELS, days, columns=[DAY])[DAY].value_counts()
    outputs = [
        written[day].dataset
        if day in written
        else _dataset(inputs, lake, inputs.labels[day], int(present.get(day.isoformat(), 0)))
        for day in days
    ]
    rows, changed = sum(each.rows or 0 for each in outputs), sum(each.new for each in written.values())
    ignored = sum(each.ignored for each in written.values())
    headline = f"{rows:,} labels of {counted(len(days), 'day')}, {changed} partitions new"
    return Labelled(
        pipeline=inputs.pipeline.name,
        partition=partition,
        headline=headline + (f"; ignored: {counted(ignored, 'row')} of no scored row" if ignored else ""),
        rows=rows,
        changed=changed,
        ignored=ignored,
        degraded=any(inputs.labels[day].degraded for day in days),
        inputs=tuple({(each.name, each.partition): each for output in outputs for each in output.made_of}.values()),
        outputs=tuple(outputs),
    )
