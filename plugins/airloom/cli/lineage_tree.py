"""A walk of the graph of lineage, as a tree on the terminal and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import typer
from rich.markup import escape
from rich.tree import Tree

from airloom.cli.console import console
from airloom.core.errors import DataError
from airloom.core.settings import Settings
from airloom.lineage.events import Run, Version, read_events, runs_of
from airloom.lineage.graph import Graph
from airloom.lineage.picture import write_picture
from airloom.lineage.walk import Branch
from airloom.lineage.wording import dataset, details, maker, versions


def read_graph(settings: Settings) -> Graph:
    """Read every event that was emitted.

    Raises:
        DataError: There are none.
    """
    graph = Graph(runs_of(read_events(settings.lineage)))
    if not graph.runs:
        raise DataError(
            "No event of lineage has been emitted.", where=str(settings.lineage), do="run a stage of the pipeline"
        )
    return graph


def show(
    graph: Graph,
    root: Branch,
    pictures: Iterable[Path | None],
    as_json: bool,
    backwards: bool,
    row: dict[str, Any] | None = None,
) -> None:
    """Draw a walk where that is wanted, and print it.

    Args:
        graph: The graph.
        root: The walk.
        pictures: Files to draw it into.
        as_json: Whether programs are to read it.
        backwards: Whether the walk led back to what it was made of.
        row: A row that the walk is about, for programs.
    """
    for file in filter(None, pictures):
        write_picture(graph, root, file, backwards)
    if as_json:
        _print_json(root, row)
    else:
        _print_tree(graph, root)


def _print_tree(graph: Graph, root: Branch) -> None:
    """Print a walk, every dataset once."""
    tree = Tree(_label(root))
    _grow(graph, tree, root, set())
    console.print(tree, highlight=False)


def _grow(graph: Graph, tree: Tree, branch: Branch, told: set[str]) -> None:
    if branch.above:
        return
    when, *facts = details(graph, branch)
    for line in filter(None, (when, *(fact for fact in facts if fact not in told))):
        tree.add(f"[dim]{escape(line)}[/dim]")
    told.update(facts)
    for each in branch.branches:
        _grow(graph, tree.add(_label(each)), each, told)


def _label(branch: Branch) -> str:
    above = " [dim](see above)[/dim]" if branch.above else ""
    what = "" if branch.above else maker(branch)
    name = f"[bold]{escape(dataset(branch))}[/bold] {escape(versions(branch))}{above}"
    return name + (f"  {escape(what)}" if what else "")


def _print_json(root: Branch, row: dict[str, Any] | None) -> None:
    """Print a walk as nodes, edges and runs, with the row that it is about."""
    branches = list(_branches(root))
    runs = {run.id: run for branch in branches for run in branch.runs}
    facts: dict[str, Any] = {
        "root": [asdict(version) for version, _ in root.found],
        "nodes": [{**asdict(version), "run": run} for version, run in _nodes(branches)],
        "edges": [{"from": asdict(source), "to": asdict(target)} for source, target in _edges(branches)],
        "runs": [_facts(run) for run in runs.values()],
    }
    if row:
        facts["row"] = _as_json(row)
    typer.echo(json.dumps(facts, indent=2, default=str))


def _as_json(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row in the types of JSON; what is missing is null."""
    import pandas as pd

    rows = pd.DataFrame([row]).to_json(orient="records", date_format="iso", double_precision=15)
    return dict(json.loads(rows)[0])


def _branches(branch: Branch) -> Iterator[Branch]:
    yield branch
    for each in branch.branches:
        yield from _branches(each)


def _nodes(branches: list[Branch]) -> list[tuple[Version, str | None]]:
    found = {version: made.run.id if made else None for branch in branches for version, made in branch.found}
    return sorted(found.items())


def _edges(branches: list[Branch]) -> list[tuple[Version, Version]]:
    """Return every edge between versions that the walk has met."""
    met = {version for branch in branches for version, _ in branch.found}
    made = [each for branch in branches for _, each in branch.found if each]
    edges = {(source, each.written.version) for each in made for source in each.written.inputs if source in met}
    return sorted(edges)


def _facts(run: Run) -> dict[str, Any]:
    return {
        "id": run.id,
        "job": run.job,
        "state": run.state,
        "attempt": run.attempt,
        "started": run.started,
        "ended": run.ended,
        "dag_run": run.dag_run,
        "trigger": run.trigger,
        "headline": run.headline,
        "quality": run.quality,
        **{name: facet for name, facet in run.facets.items() if name.startswith("airloom_")},
    }
