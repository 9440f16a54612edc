"""`airloom impact`: what was made of a day's data, up to the predictions."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from airloom.cli.console import chosen, console
from airloom.cli.lineage_tree import read_graph, show
from airloom.core.errors import DataError
from airloom.core.partitions import parse_partition
from airloom.core.pipeline import Pipeline
from airloom.core.settings import Settings
from airloom.core.wording import listed
from airloom.lineage.naming import dataset_name
from airloom.lineage.walk import Branch
from airloom.lineage.walk import impact as walk
from airloom.steps.heal import healing_command
from airloom.steps.staleness import Staleness


def impact(
    pipeline: Annotated[str, typer.Argument(help="Name of the pipeline.")],
    dataset: Annotated[str, typer.Argument(help="raw.… or features.…; a model has no day: model.")],
    partition: Annotated[str, typer.Argument(help="The day, YYYY-MM-DD; of a model, its version.")],
    html: Annotated[Path | None, typer.Option(help="Write a picture for a browser.")] = None,
    svg: Annotated[Path | None, typer.Option(help="Write a picture.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Show what every version of a partition went into: features, models, champions and predictions."""
    settings = Settings.from_environment()
    [declared] = chosen(settings, pipeline)
    graph = read_graph(settings)
    name = dataset_name(declared.name, dataset)
    if dataset == "model":
        versions = [each for each in graph.versions(name) if each.version == partition]
    else:
        versions = graph.versions(name, parse_partition(partition).isoformat())
    if not versions:
        raise DataError(
            f"No event tells of {dataset} {partition} of {declared.name}.",
            expected="raw.<table>, features.<view> or predictions with a day that was run, or model with a version",
            do=f"see which days there are: airloom status; and which versions: airloom ledger {declared.name}",
        )
    root = walk(graph, versions)
    show(graph, root, (html, svg), as_json, backwards=False)
    if not as_json:
        print_stale(declared, root, settings)


def print_stale(pipeline: Pipeline, root: Branch, settings: Settings) -> None:
    """Name the days whose features are stale: nothing more is made of them until they are healed."""
    read = {(version.name, version.partition) for branch in _branches(root) for version, _ in branch.found}
    stale: dict[str, list[date]] = {}
    for view, day in Staleness.read(pipeline, settings).everywhere():
        if (dataset_name(pipeline.name, f"features.{view}"), day.isoformat()) in read:
            stale.setdefault(f"features.{view}", []).append(day)
    for table, days in stale.items():
        line = f"stale     {table}: {listed([*map(str, days)])}; to heal: {healing_command(pipeline.name, days)}"
        console.print(line, highlight=False, markup=False, soft_wrap=True)


def _branches(root: Branch) -> Iterator[Branch]:
    yield root
    for each in root.branches:
        yield from _branches(each)
