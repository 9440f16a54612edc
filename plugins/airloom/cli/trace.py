"""`airloom trace`: from a prediction back to the raw rows, in one tree."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from airloom.cli.console import chosen, console
from airloom.cli.lineage_tree import read_graph, show
from airloom.core.errors import DataError, UsageError
from airloom.core.partitions import parse_partition
from airloom.core.pipeline import Pipeline
from airloom.core.reserved import PREFIX
from airloom.core.settings import Settings
from airloom.lineage.events import Version
from airloom.lineage.graph import Graph
from airloom.lineage.naming import dataset_name
from airloom.lineage.walk import trace as walk
from airloom.steps.columns import input_columns
from airloom.steps.examples import describe_label
from airloom.steps.readiness import LABELS
from airloom.steps.score import TABLE, rows_to_score
from airloom.stores.lake import Lake

if TYPE_CHECKING:
    import pandas as pd


def trace(
    pipeline: Annotated[str, typer.Argument(help="Name of the pipeline.")],
    partition: Annotated[str, typer.Argument(help="The day, YYYY-MM-DD.")],
    dataset: Annotated[str, typer.Option(help="predictions, labels, features.… or raw.…")] = "predictions",
    key: Annotated[str | None, typer.Option(help="One row of it by its key; several columns with commas.")] = None,
    html: Annotated[Path | None, typer.Option(help="Write a picture for a browser.")] = None,
    svg: Annotated[Path | None, typer.Option(help="Write a picture.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Show what a partition was made of: models, verdicts, training sets, features, raw days, audits and runs."""
    settings = Settings.from_environment()
    [declared] = chosen(settings, pipeline)
    day = parse_partition(partition)
    graph = read_graph(settings)
    root = walk(graph, _version(graph, declared, dataset, day, settings))
    row = _traced_row(declared, dataset, day, key, settings) if key else None
    if row and not as_json:
        _print_row(row)
    show(graph, root, (html, svg), as_json, backwards=True, row=row)


def _version(graph: Graph, pipeline: Pipeline, dataset: str, day: date, settings: Settings) -> Version:
    """Return what the lake holds now."""
    name = dataset_name(pipeline.name, dataset)
    published = Lake(settings.lake / pipeline.name).partitions(dataset).get(day)
    told = graph.versions(name, day.isoformat())
    if published is None and not told:
        raise DataError(
            f"There are no {dataset} of {pipeline.name} of {day}.", do=f"see: airloom status {pipeline.name}"
        )
    return Version(name, day.isoformat(), published.version) if published else told[-1]


def _traced_row(pipeline: Pipeline, dataset: str, day: date, key: str, settings: Settings) -> dict[str, Any]:
    """Return a row and, of a prediction, what the model has read for it and the label that it has got since."""
    lake = Lake(settings.lake / pipeline.name)
    values = dict(_row(pipeline, dataset, day, key, lake.read(dataset, [day])).iloc[0])
    if dataset != TABLE:
        return values
    row = _row(pipeline, dataset, day, key, rows_to_score(pipeline, day, settings))
    values |= dict(row.iloc[0][input_columns(pipeline, settings)])
    label = describe_label(pipeline, row, lake)
    return values | {f"{PREFIX}{name}" if name in values else name: fact for name, fact in label.items()}


def _print_row(values: dict[str, Any]) -> None:
    width = max(map(len, values))
    for name, value in values.items():
        console.print(f"{name:<{width}}  {value}", highlight=False, markup=False, soft_wrap=True)
    console.print()


def _row(pipeline: Pipeline, dataset: str, day: date, key: str, rows: pd.DataFrame) -> pd.DataFrame:
    columns, values = _key(pipeline, dataset), key.split(",")
    if len(columns) != len(values):
        raise UsageError("This is not a key.", found=key, expected=",".join(columns))
    for column, value in zip(columns, values, strict=True):
        rows = rows[rows[column].astype(str) == value]
    if rows.empty:
        raise DataError(f"{dataset} of {day} have no such row.", found=key, expected=f"a value of {', '.join(columns)}")
    return rows.head(1)


def _key(pipeline: Pipeline, dataset: str) -> tuple[str, ...]:
    if dataset == LABELS:
        return pipeline.label_key
    table = pipeline.score.entities if dataset == TABLE else dataset.removeprefix("raw.")
    if table not in pipeline.tables:
        raise UsageError(f"Rows of {dataset} have no key.", expected="predictions, labels, or a raw table")
    return tuple(pipeline.tables[table].key)
