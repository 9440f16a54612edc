"""`airloom run`: one day, run or run again, stage after stage."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from airloom.cli.backfill import chosen_stages, require_no_failure, watched
from airloom.cli.console import services
from airloom.core.declaration import find_pipeline
from airloom.core.partitions import parse_partition
from airloom.launcher.api import AirflowApi, Range
from airloom.launcher.backfill import Progress, Request
from airloom.launcher.given import adopt
from airloom.launcher.run import run_again


def run(
    pipeline: Annotated[str, typer.Argument(help="Name of the pipeline.")],
    day: Annotated[str, typer.Option(help="The day, YYYY-MM-DD.")],
    stage: Annotated[list[str] | None, typer.Option(help="Only this stage; may be given several times.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Run a day, or run it again: clears its run in Airflow or creates one, stage after stage."""
    servers = services()
    adopt(servers.settings, servers.ports)
    partition = parse_partition(day)
    request = Request(
        pipeline=find_pipeline(servers.settings.include, pipeline),
        days=Range(partition, partition),
        stages=chosen_stages(stage),
    )
    api = AirflowApi(servers.settings, servers.ports)
    if as_json:
        stages = run_again(api, request, lambda _: None)
        typer.echo(json.dumps({"pipeline": pipeline, "day": day, "stages": [_told(each) for each in stages]}, indent=2))
    else:
        stages = watched(request, lambda watch: run_again(api, request, watch))
    require_no_failure(stages, do=f"correct the cause, then run the same again: airloom run {pipeline} --day {day}")


def _told(stage: Progress) -> dict[str, object]:
    state = "failed" if stage.failed else "success" if stage.done else "not run"
    return {"stage": stage.stage, "state": state, "failed_tasks": [str(task) for task in stage.failures]}
