"""The events that were emitted, read back: what every run of a task read, wrote and came to."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from airloom.core.places import Place
from airloom.lineage.naming import NAMESPACE
from airloom.stores.kept_events import kept_lines

State = Literal["complete", "failed", "aborted", "running"]


@dataclass(frozen=True, order=True)
class Version:
    """One version of one partition of a dataset: a node of the graph.

    Args:
        name: The dataset's name, with the pipeline.
        partition: The day, empty for what has no partitions.
        version: Its version, empty where there is none.
    """

    name: str
    partition: str = ""
    version: str = ""

    def __str__(self) -> str:
        return " ".join(filter(None, (self.name, self.partition, self.version and f"@{self.version}")))


@dataclass(frozen=True)
class Written:
    """An output of a run.

    Args:
        version: What was written.
        inputs: What this output was made of.
        unchanged: Whether it was there before.
        rows: How many rows.
    """

    version: Version
    inputs: tuple[Version, ...]
    unchanged: bool = False
    rows: int | None = None


@dataclass(frozen=True)
class Run:
    """One attempt of one task.

    Args:
        id: Its identifier in OpenLineage.
        job: The task, with its DAG.
        state: What became of it.
        started: When it started.
        ended: When it ended, None when it has not, or nobody knows.
        dag_run: The run of the DAG.
        trigger: `scheduled`, `backfill` or `manual`, and who has triggered it, where somebody has.
        attempt: The number of the attempt.
        mapped: Which of several instances of the task it is, -1 for the only one.
        inputs: What it read.
        outputs: What it wrote.
        withdrawn: What it took back.
        facets: The facets of the run, by name.
        quality: Expectations that did not hold, by dataset.
    """

    id: str
    job: str
    state: State
    started: datetime
    ended: datetime | None = None
    dag_run: str = ""
    trigger: str = ""
    attempt: int = 1
    mapped: int = -1
    inputs: tuple[Version, ...] = ()
    outputs: tuple[Written, ...] = ()
    withdrawn: tuple[Version, ...] = ()
    facets: dict[str, Any] = field(default_factory=dict)
    quality: tuple[dict[str, Any], ...] = ()

    @property
    def task(self) -> tuple[str, str, int]:
        """The task in a run of its DAG, which every attempt at it shares."""
        return self.job, self.dag_run, self.mapped

    @property
    def partition(self) -> str:
        """The day that it was for."""
        return str(self.facets.get("airloom_run", {}).get("partition", ""))

    @property
    def headline(self) -> str:
        """What happened, in one line."""
        if self.state == "complete":
            return str(self.facets.get("airloom_run", {}).get("headline") or "")
        lines = str(self.facets.get("errorMessage", {}).get("message") or "").strip().splitlines()
        return lines[0] if lines else ""


def read_events(place: Place) -> Iterator[dict[str, Any]]:
    """Read every whole event that is kept in a place.

    A line that is still being written, or that a full disk has torn, is left out: what it told of is missing in the
    graph, and said to be.
    """
    for line in kept_lines(place):
        with suppress(ValueError):
            yield json.loads(line)


def runs_of(events: Iterable[dict[str, Any]]) -> list[Run]:
    """Join the events of every task's attempt, in the order in which they started.

    An attempt that has told of no end is aborted once another one has started or its DAG run has ended; a task that is
    killed cannot tell.
    """
    tasks: dict[str, list[dict[str, Any]]] = {}
    ended_dag_runs: set[str] = set()
    for event in events:
        run = event["run"]
        if "airloom_run" in run["facets"] and event["job"]["namespace"] == NAMESPACE:
            tasks.setdefault(run["runId"], []).append(event)
        elif event["eventType"] in ("COMPLETE", "FAIL"):
            ended_dag_runs.add(run["runId"])
    runs = sorted((_run(each) for each in tasks.values()), key=lambda run: run.started)
    newest = {run.task: run.attempt for run in runs}
    return [
        _aborted(run)
        if run.state == "running" and (run.attempt < newest[run.task] or _parent(run) in ended_dag_runs)
        else run
        for run in runs
    ]


def _aborted(run: Run) -> Run:
    return Run(**{**vars(run), "state": "aborted"})


def _parent(run: Run) -> str:
    return str(run.facets.get("parent", {}).get("run", {}).get("runId", ""))


_STATES: dict[str, State] = {"COMPLETE": "complete", "FAIL": "failed"}


def _run(events: list[dict[str, Any]]) -> Run:
    first = min(events, key=lambda event: _moment(event))
    last = max(events, key=lambda event: (event["eventType"] in _STATES, _moment(event)))
    state = _STATES.get(last["eventType"], "running")
    facets = {name: facet for event in (first, last) for name, facet in event["run"]["facets"].items()}
    airflow = facets.get("airflow", {})
    dag_run = airflow.get("dagRun", {})
    read = [*_versions(last.get("inputs", []))]
    return Run(
        id=last["run"]["runId"],
        job=last["job"]["name"],
        state=state,
        started=_moment(first),
        ended=_moment(last) if state != "running" else None,
        dag_run=str(dag_run.get("run_id", "")),
        trigger=" by ".join(filter(None, (str(dag_run.get("run_type", "")), dag_run.get("triggering_user_name")))),
        attempt=int(airflow.get("taskInstance", {}).get("try_number", 1)),
        mapped=int(facets.get("airflow_mappedTask", {}).get("mapIndex", -1)),
        inputs=tuple(read),
        outputs=tuple(_outputs(last.get("outputs", []), tuple(read))),
        withdrawn=tuple(_withdrawn(last.get("outputs", []))),
        facets=facets,
        quality=tuple(_failures(last.get("inputs", []))),
    )


def _moment(event: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(event["eventTime"])


def _partitions(dataset: dict[str, Any]) -> list[dict[str, Any]]:
    partitions: list[dict[str, Any]] = dataset.get("facets", {}).get("airloom_partition", {}).get("partitions", [])
    return partitions


def _versions(datasets: Iterable[dict[str, Any]]) -> Iterator[Version]:
    for dataset in datasets:
        for each in _partitions(dataset):
            yield Version(dataset["name"], each["partition"], each["version"])


def _outputs(datasets: Iterable[dict[str, Any]], read: tuple[Version, ...]) -> Iterator[Written]:
    for dataset in datasets:
        partitions = _partitions(dataset)
        rows = dataset.get("outputFacets", {}).get("outputStatistics", {}).get("rowCount")
        for each in partitions:
            if each.get("withdrawn"):
                continue
            made_of = [
                Version(name, day, version)
                for name, days in each.get("madeOf", {}).items()
                for day, version in days.items()
            ]
            yield Written(
                version=Version(dataset["name"], each["partition"], each["version"]),
                inputs=tuple(made_of) or read,
                unchanged=each.get("unchanged", False),
                rows=rows if len(partitions) == 1 else None,
            )


def _withdrawn(datasets: Iterable[dict[str, Any]]) -> Iterator[Version]:
    for dataset in datasets:
        for each in _partitions(dataset):
            if each.get("withdrawn"):
                yield Version(dataset["name"], each["partition"], each["version"])


def _failures(datasets: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for dataset in datasets:
        facet = dataset.get("inputFacets", {}).get("dataQualityAssertions", {})
        yield from (each for each in facet.get("assertions", []) if not each["success"])
