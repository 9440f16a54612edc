"""One day, run or run again: its run is cleared where Airflow has one, and created where it has none."""

from __future__ import annotations

from dataclasses import replace

from airloom.core.errors import NotDue
from airloom.core.partitions import require_ended
from airloom.launcher.api import AirflowApi
from airloom.launcher.backfill import Progress, Request, Watch, check, follow
from airloom.steps.readiness import readiness

_PAUSE_SECONDS = 1.0


def run_again(api: AirflowApi, request: Request, watch: Watch, pause: float = _PAUSE_SECONDS) -> list[Progress]:
    """Run a day, stage after stage, each when the one before has ended; the first that fails is the last.

    Args:
        api: Airflow.
        request: The stages and the day, as a range of one.
        watch: Is told how far every stage is, whenever that was looked at.
        pause: Seconds between two looks.

    Returns:
        How each stage ended; those that were not begun still say what they wait for.

    Raises:
        UsageError: The request makes no sense, or Airflow refuses it.
        NotDue: The pipeline's zone never had this day.
        DataError: A DAG file cannot be imported.
        SetupError: Airflow does not have the DAGs, or does not answer.
    """
    check(request)
    require_ended(request.days.first, request.pipeline.schedule.timezone)
    stages = [Progress(stage, 1, note="waits for its turn") for stage in request.stages]
    for number, stage in enumerate(request.stages):
        alone = replace(request, stages=(stage,))

        def tell(now: list[Progress], done: int = number, alone: Request = alone) -> None:
            watch([*stages[:done], _with_awaited(api, alone, now[0]), *stages[done + 1 :]])

        [stages[number]] = follow(api, alone, _begin, tell, pause)
        if stages[number].failed:
            break
    return stages


def _begin(api: AirflowApi, request: Request, stage: Progress) -> str:
    """Clear the day's run or create one.

    Returns:
        What still has to happen first: a run that is under way has read what was there when it began, and ends first.
    """
    dag_id, day = request.dag_id(stage.stage), request.days.first
    api.unpause(dag_id)
    before = api.run_of(dag_id, day)
    if before is None:
        api.create_run(dag_id, day)
    elif before.state == "running":
        return "waits for its run that is under way"
    elif before.state != "queued":
        api.clear_run(dag_id, before.run_id)
    return ""


def _with_awaited(api: AirflowApi, request: Request, stage: Progress) -> Progress:
    """Add what a stage awaits, where its run is waiting for inputs."""
    if (
        stage.done
        or stage.stage == "ingest"
        or not api.count_tasks(request.dag_id(stage.stage), request.days, ["deferred"])
    ):
        return stage
    try:
        state = readiness(request.pipeline, stage.stage, request.days.first, api.settings)
    except NotDue:
        return stage
    return replace(stage, awaits="waits for runs under way" if state.settled else f"waits: {state}")
