"""What a walk of the graph says to people, line by line."""

from __future__ import annotations

from collections.abc import Iterator

from airloom.core.wording import counted
from airloom.lineage.events import Run, Version
from airloom.lineage.graph import Graph
from airloom.lineage.walk import Branch

_DIGEST = 8
#: Where the data comes from: no run has made it.
SOURCE = "source"


def dataset(branch: Branch) -> str:
    """Name the dataset, without the pipeline: `raw.flights`."""
    return branch.name.partition("/")[2]


def versions(branch: Branch) -> str:
    """Say which versions: `2013-02-02 bb22af90`, `28 days from 2013-01-06 to 2013-02-02`."""
    days = sorted({version.partition for version, _ in branch.found if version.partition})
    if len(branch.found) == 1:
        [(version, _)] = branch.found
        return " ".join(filter(None, (version.partition, _short(version))))
    if not days:
        return ", ".join(version.version for version, _ in branch.found)
    if len(days) == 1:
        return f"{days[0]}, {counted(len(branch.found), 'version')}"
    return f"{counted(len(days), 'day')} from {days[0]} to {days[-1]}"


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
    yield ", ".join(
        filter(None, (_moments(runs), *sorted({run.trigger for run in runs}), *sorted(set(map(_code, runs)))))
    )
    for run in runs:
        yield from _quality(run)
        yield from _attempts(graph, run)
    for version, _ in branch.found:
        if taken := graph.withdrawn(version):
            yield f"{taken.started:%Y-%m-%d %H:%M:%S} UTC: {taken.headline}"
    if branch.untold and dataset(branch) != SOURCE:
        yield f"no event tells how {counted(len(branch.untold), 'version')} came to be"


def _moments(runs: list[Run]) -> str:
    """Say when the first run and the last one started."""
    if not runs:
        return ""
    first, last = runs[0].started, runs[-1].started
    until = f"{last:%H:%M:%S}" if last.date() == first.date() else f"{last:%Y-%m-%d %H:%M:%S}"
    return f"{first:%Y-%m-%d %H:%M:%S}" + (f" to {until}" if last > first else "") + " UTC"


def _code(run: Run) -> str:
    code = str(run.facets.get("airloom_run", {}).get("code") or "")
    return code if " " in code or not code else f"code {code[:_DIGEST]}"


def _quality(run: Run) -> Iterator[str]:
    for each in run.quality:
        columns = f" ({each['column']})" if each.get("column") else ""
        yield f"{run.partition}: {each['severity']}: {each['assertion']}{columns}: {each.get('actual') or 'failed'}"


def _attempts(graph: Graph, run: Run) -> Iterator[str]:
    for other in graph.attempts(run):
        if other.attempt < run.attempt and other.state in ("failed", "aborted"):
            why = f": {other.headline}" if other.headline else ""
            yield f"attempt {other.attempt} of {run.job.partition('.')[2]} of {run.partition} {other.state}{why}"
