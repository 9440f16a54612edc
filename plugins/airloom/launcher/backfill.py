"""Backfills of all stages of a pipeline: Airflow's own, created in the order of the data and watched until they end."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from airloom.core.errors import DataError, SetupError, UsageError
from airloom.core.partitions import local_days, require_ended
from airloom.core.pipeline import Pipeline
from airloom.core.wording import counted
from airloom.launcher.api import AirflowApi, FailedTask, Range, Reprocess
from airloom.launcher.import_errors import DO, described
from airloom.launcher.waiting import Waiting

#: In the order in which data flows through them.
STAGES = ("ingest", "features", "train", "score")

#: The API server also serves every task, so it is asked seldom and little.
_PAUSE_SECONDS = 3.0
_ENDED = ["success", "failed"]


@dataclass(frozen=True)
class Request:
    """What a person asks for.

    Args:
        pipeline: The pipeline.
        days: The days to run.
        stages: The stages to run.
        max_active_runs: How many days of one stage may run at once.
        reprocess: What to do with days that have run before.
        backwards: Whether to start with the newest day.
        nights: The days to train and to score, where those are not all of them.
    """

    pipeline: Pipeline
    days: Range
    stages: tuple[str, ...] = STAGES
    max_active_runs: int = 4
    reprocess: Reprocess = "none"
    backwards: bool = False
    nights: Range | None = None

    def days_of(self, stage: str) -> Range:
        """Return the days of a stage."""
        return self.nights if self.nights and stage in ("train", "score") else self.days

    def runs_of(self, stage: str) -> int:
        """Return how many runs a stage will have: one for each day that the zone had."""
        days = self.days_of(stage)
        return len(local_days(days.first, days.last, self.pipeline.schedule.timezone))

    def dag_id(self, stage: str) -> str:
        """Return the DAG of a stage."""
        return f"{self.pipeline.name}.{stage}"


@dataclass(frozen=True)
class Progress:
    """How far one stage is.

    Args:
        stage: The stage.
        runs: How many runs there will be.
        ended: How many have ended.
        failed: How many of those failed.
        note: What it waits for, if it does.
        asks: How many of them wait for a person's answer.
        awaits: What the inputs are that it still awaits, where that was looked at.
        cleared: The tasks that were done when Airflow called them failed, and so were cleared.
        failures: The other failed tasks.
    """

    stage: str
    runs: int
    ended: int = 0
    failed: int = 0
    note: str = ""
    asks: int = 0
    awaits: str = ""
    cleared: tuple[FailedTask, ...] = ()
    failures: tuple[FailedTask, ...] = ()

    @property
    def waits(self) -> str:
        """What it waits for, in words; empty when it works."""
        asks = f"{counted(self.asks, 'run')} asked a person: see Required Actions in Airflow" if self.asks else ""
        return self.note or asks or self.awaits

    @property
    def done(self) -> bool:
        """Whether every run has ended."""
        return not self.note and self.ended >= self.runs


Watch = Callable[[list[Progress]], None]
#: Makes a stage's runs begin; returns what still has to happen first, empty when they have begun.
Begin = Callable[[AirflowApi, Request, Progress], str]


def check(request: Request) -> None:
    """Refuse a range that the pipeline does not cover or that has not ended, and stages that do not exist.

    Raises:
        UsageError: There is nothing to run, or something that does not exist.
    """
    first, last, schedule = request.days.first, request.days.last, request.pipeline.schedule
    unknown = sorted(set(request.stages) - set(STAGES))
    if unknown:
        raise UsageError(f"There is no stage {unknown[0]!r}.", expected=", ".join(STAGES))
    if last < first:
        raise UsageError("The range ends before it starts.", found=f"from {first} to {last}")
    if first < schedule.start or (schedule.end is not None and last > schedule.end):
        raise UsageError(
            f"{request.pipeline.name} does not cover these days.",
            found=f"from {first} to {last}",
            expected=f"days from {schedule.start} to {schedule.end or 'yesterday'}",
        )
    require_ended(last, schedule.timezone)


def run(api: AirflowApi, request: Request, watch: Watch, pause: float = _PAUSE_SECONDS) -> list[Progress]:
    """Create a backfill of each stage and wait until all of them have ended.

    Args:
        api: Airflow.
        request: What to run.
        watch: Is told how far every stage is, whenever that was looked at.
        pause: Seconds between two looks.

    Returns:
        How each stage ended.

    Raises:
        UsageError: The request makes no sense, or Airflow refuses it.
        DataError: A DAG file cannot be imported.
        SetupError: Airflow does not have the DAGs, or does not answer.
    """
    check(request)
    return follow(api, request, _begin, watch, pause)


def follow(api: AirflowApi, request: Request, begin: Begin, watch: Watch, pause: float) -> list[Progress]:
    """Make the runs of each stage begin, and wait until all of them have ended.

    Args:
        api: Airflow.
        request: What to run.
        begin: Makes the runs of one stage begin; asked again until it has nothing left to wait for.
        watch: Is told how far every stage is, whenever that was looked at.
        pause: Seconds between two looks.

    Returns:
        How each stage ended.

    Raises:
        UsageError: Airflow refuses it.
        DataError: A DAG file cannot be imported.
        SetupError: Airflow does not have the DAGs, or does not answer.
    """
    stages = [Progress(stage, request.runs_of(stage), note="waits to be created") for stage in request.stages]
    dag_ids = [request.dag_id(stage) for stage in request.stages]
    _require_dags(api, dag_ids, pause, lambda note: watch([replace(stages[0], note=note), *stages[1:]]))
    judged: set[FailedTask] = set()
    while not all(stage.done for stage in stages):
        stages = [stage if stage.done else _look(api, request, stage, begin, judged) for stage in stages]
        watch(stages)
        if not all(stage.done for stage in stages):
            time.sleep(pause)
    return stages


def _look(api: AirflowApi, request: Request, stage: Progress, begin: Begin, judged: set[FailedTask]) -> Progress:
    """Make a stage's runs begin if that is still to be done, and count how far they are."""
    dag_id, days = request.dag_id(stage.stage), request.days_of(stage.stage)
    note = stage.note and begin(api, request, stage)
    ended = api.count_runs(dag_id, days, _ENDED)
    may_ask = stage.stage == "train" and request.pipeline.promotion.approval == "required"
    asks = api.count_tasks(dag_id, days, ["awaiting_input"]) if may_ask else 0
    if (ended, note, asks) == (stage.ended, stage.note, stage.asks):
        return stage
    failed = api.count_runs(dag_id, days, ["failed"])
    stage = replace(stage, note=note, ended=ended, asks=asks, failed=failed, failures=())
    return _judge(api, request, stage, judged) if failed else stage


def _judge(api: AirflowApi, request: Request, stage: Progress, judged: set[FailedTask]) -> Progress:
    """Clear failed tasks whose work is done, each once.

    A task leaves its record when its work is done; Airflow may still fail to note its success. Run again, such a task
    changes nothing.
    """
    dag_id, days = request.dag_id(stage.stage), request.days_of(stage.stage)
    failures = api.failed_tasks(dag_id, days)
    done = [task for task in failures if task not in judged and api.has_record(dag_id, task)]
    judged.update(failures)
    for run_id in dict.fromkeys(task.run_id for task in done):
        api.clear(dag_id, run_id, [task for task in done if task.run_id == run_id])
    if done:
        ended, failed = (api.count_runs(dag_id, days, states) for states in (_ENDED, ["failed"]))
        stage = replace(stage, ended=ended, failed=failed, cleared=(*stage.cleared, *done))
    return replace(stage, failures=tuple(task for task in failures if task not in done))


def _begin(api: AirflowApi, request: Request, stage: Progress) -> str:
    """Create a stage's backfill unless nothing is left to do.

    Returns:
        What still has to happen first, empty when it has begun.
    """
    dag_id, days = request.dag_id(stage.stage), request.days_of(stage.stage)
    if request.reprocess != "completed" and api.count_runs(dag_id, days, ["success"]) == stage.runs:
        return ""
    # Unpaused also while it waits: the earlier backfill would never end otherwise.
    api.unpause(dag_id)
    created = not api.has_active_backfill(dag_id) and api.create_backfill(
        dag_id,
        days,
        max_active_runs=request.max_active_runs,
        reprocess=request.reprocess,
        backwards=request.backwards,
    )
    return "" if created else "waits for an earlier backfill, which Airflow still calls active"


def _require_dags(api: AirflowApi, dag_ids: list[str], pause: float, report: Callable[[str], None]) -> None:
    """Wait until Airflow has read the DAG files: after a first start some seconds, on a busy machine minutes."""
    prefix = dag_ids[0].partition(".")[0] + "."
    waiting = Waiting()
    while missing := sorted(set(dag_ids) - api.dags(prefix)):
        if errors := api.import_errors():
            file, error = next(iter(errors.items()))
            raise DataError("A DAG file cannot be imported.", where=file, found=described(error), do=DO)
        waiting.look(missing)
        if waiting.stalled:
            raise SetupError(f"Airflow has no DAG {missing[0]}.", do="airflow dags list-import-errors")
        report(f"waits for Airflow to read the DAG files{waiting.remark}")
        time.sleep(pause)
