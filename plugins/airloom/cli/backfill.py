"""`airloom backfill`: every stage of a range of days, by Airflow's own backfills."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Annotated, cast, get_args

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from airloom.cli.console import console, services
from airloom.core.declaration import find_pipeline
from airloom.core.errors import DataError, UsageError
from airloom.core.partitions import parse_partition
from airloom.launcher.api import AirflowApi, Range, Reprocess
from airloom.launcher.backfill import STAGES, Request, Watch, run
from airloom.launcher.backfill import Progress as StageProgress
from airloom.launcher.given import adopt

_LINE_SECONDS = 15.0
#: How many failed tasks are named, each on a line below the first.
_NAMED = 10
_MEND = "correct the cause, then run the same again with --reprocess failed"
_INDENT = "\n" + " " * 12


def backfill(
    pipeline: Annotated[str, typer.Argument(help="Name of the pipeline.")],
    first: Annotated[str, typer.Option("--from", help="First day, YYYY-MM-DD.")],
    last: Annotated[str, typer.Option("--to", help="Last day, YYYY-MM-DD.")],
    stage: Annotated[list[str] | None, typer.Option(help="Only this stage; may be given several times.")] = None,
    max_active_runs: Annotated[int, typer.Option(min=1, help="Days of one stage that may run at once.")] = 4,
    reprocess: Annotated[str, typer.Option(help="Days that ran before: none, failed or completed.")] = "none",
    backwards: Annotated[bool, typer.Option("--backwards", help="Start with the newest day.")] = False,
) -> None:
    """Run every stage for a range of days, by Airflow's own backfills, and show how far they are."""
    if reprocess not in get_args(Reprocess):
        raise UsageError("There is no such way to reprocess.", found=reprocess, expected=", ".join(get_args(Reprocess)))
    servers = services()
    adopt(servers.settings, servers.ports)
    request = Request(
        pipeline=find_pipeline(servers.settings.include, pipeline),
        days=Range(parse_partition(first), parse_partition(last)),
        stages=chosen_stages(stage),
        max_active_runs=max_active_runs,
        reprocess=cast(Reprocess, reprocess),
        backwards=backwards,
    )
    require_no_failure(watch(AirflowApi(servers.settings, servers.ports), request))


def chosen_stages(named: list[str] | None) -> tuple[str, ...]:
    """Return the named stages in the order of the data, and those that do not exist after them; all without names."""
    return tuple(sorted(set(named), key=lambda name: (*STAGES, name).index(name))) if named else STAGES


def watch(api: AirflowApi, request: Request) -> list[StageProgress]:
    """Run a request and show how far each stage is."""
    return watched(request, lambda show: run(api, request, show))


def watched(request: Request, begin: Callable[[Watch], list[StageProgress]]) -> list[StageProgress]:
    """Show how far each stage is while something runs, as bars for people and as lines for logs.

    Args:
        request: What is run.
        begin: Runs it, and tells how far it is.
    """
    stages = _watched(request, begin)
    for stage in stages:
        if stage.cleared:
            tasks = ", ".join(str(task) for task in stage.cleared)
            console.print(
                f"{stage.stage}: Airflow had recorded finished tasks as failed; cleared {tasks}", markup=False
            )
    return stages


def _watched(request: Request, begin: Callable[[Watch], list[StageProgress]]) -> list[StageProgress]:
    if not console.is_terminal:
        return begin(_Lines(request).show)
    columns = (TextColumn("{task.description:<9}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, TextColumn("{task.fields[note]}"), console=console) as bars:
        tasks = {stage: bars.add_task(stage, total=None, note="") for stage in request.stages}
        return begin(lambda stages: _show(bars, tasks, stages))


def require_no_failure(stages: list[StageProgress], do: str = _MEND) -> None:
    """Make a failed run the command's failure, and name the tasks that failed.

    Args:
        stages: How each stage ended.
        do: What mends it, after reading why.

    Raises:
        DataError: Some runs failed.
    """
    failed = [stage for stage in stages if stage.failed]
    if failed:
        tasks = [f"{stage.stage} {task}" for stage in failed for task in stage.failures]
        more = [f"and {len(tasks) - _NAMED} more"] if len(tasks) > _NAMED else []
        counts = ", ".join(f"{stage.stage}: {stage.failed} of its days" for stage in failed)
        raise DataError(
            "Some runs failed.",
            found=_INDENT.join([counts, *tasks[:_NAMED], *more]),
            do=f"read in Airflow why these tasks failed, {do}",
        )


def _show(bars: Progress, tasks: dict[str, TaskID], stages: list[StageProgress]) -> None:
    for stage in stages:
        failed = f"[red]{stage.failed} failed[/red]" if stage.failed else ""
        bars.update(tasks[stage.stage], total=stage.runs, completed=stage.ended, note=stage.waits or failed)
        if stage.done:
            bars.stop_task(tasks[stage.stage])


class _Lines:
    """Prints one line now and then, where there is no terminal to draw on."""

    def __init__(self, request: Request) -> None:
        self.request = request
        self.printed = 0.0

    def show(self, stages: list[StageProgress]) -> None:
        if time.monotonic() - self.printed < _LINE_SECONDS and not all(stage.done for stage in stages):
            return
        self.printed = time.monotonic()
        parts = [
            f"{stage.stage} {stage.ended}/{stage.runs}" + (f" ({stage.waits})" if stage.waits else "")
            for stage in stages
        ]
        console.print(f"{self.request.pipeline.name}: {', '.join(parts)}", highlight=False)
