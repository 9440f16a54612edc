"""What a walk of the graph says to people, line by line."""

from __future__ import annotations

from collections.abc import Iterator

from airloom.core.wording import counted
from airloom.lineage.events import Run, Version
from airloom.lineage.graph import Graph
from airloom.lineage.walk import Branch

_DIGEST = 8


def subject(branch: Branch) -> str:
    """Name the dataset and its versions: `raw.flights, 28 days from 2013-01-06 to 2013-02-02`."""
    name = branch.name.partition("/")[2]
    days = sorted({version.partition for version, _ in branch.found if version.partition})
    if len(branch.found) == 1:
        [(version, _)] = branch.found
        return " ".join(filter(None, (name, version.partition, _short(version))))
    if not days:
        return f"{name} {', '.join(version.version for version, _ in branch.found)}"
    if len(days) == 1:
        return f"{name} {days[0]}, {counted(len(branch.found), 'version')}"
    return f"{name}, {counted(len(days), 'day')} from {days[0]} to {days[-1]}"


def _short(version: Version) -> str:
    known = version.version
    return known if len(known) < _DIGEST else known[:_DIGEST]


def maker(branch: Branch) -> str:
    """Say which run made it, or how many did."""
    runs = branch.runs
    if not runs:
        return ""
    if len(runs) == 1:
        return f"{runs[0].job.partition('.')[2]}: {runs[0].headline}"
    jobs = " and ".join(sorted({run.job.partition(".")[2] for run in runs}))
    return f"{jobs}, {counted(len(runs), 'run')}"


def details(graph: Graph, branch: Branch) -> Iterator[str]:
    """Say who or what triggered the runs, by which code, what the audits found, and which attempts were aborted."""
    runs = branch.runs
    if len(runs) == 1:
        run = runs[0]
        yield ", ".join(filter(None, (f"{run.started:%Y-%m-%d %H:%M:%S} UTC", run.trigger, _code(run))))
    elif triggers := sorted({run.trigger for run in runs if run.trigger}):
        yield ", ".join(triggers)
    for run in runs:
        yield from _quality(run)
        yield from _attempts(graph, run)
    if branch.untold:
        yield f"no event tells how {counted(len(branch.untold), 'version')} came to be"


def _code(run: Run) -> str:
    code = str(run.facets.get("airloom_run", {}).get("code") or "")
    return code if " " in code or not code else f"code {code[:_DIGEST]}"


def _quality(run: Run) -> Iterator[str]:
    for each in run.quality:
        columns = f" ({each['column']})" if each.get("column") else ""
        yield f"{run.partition}: {each['severity']}: {each['assertion']}{columns}: {each.get('actual') or 'failed'}"


def _attempts(graph: Graph, run: Run) -> Iterator[str]:
    for other in graph.attempts(run):
        if other.attempt < run.attempt:
            why = f": {other.headline}" if other.headline else ""
            yield f"attempt {other.attempt} of {run.job.partition('.')[2]} of {run.partition} {other.state}{why}"
