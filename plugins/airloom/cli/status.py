"""`airloom status`: where every pipeline is."""

from __future__ import annotations

import json
from typing import Annotated

import typer
from rich.table import Table

from airloom.cli.console import chosen, console
from airloom.core.settings import Settings
from airloom.core.wording import counted, listed
from airloom.launcher.status import PipelineStatus, read_status
from airloom.steps.heal import healing_command


def status(
    pipeline: Annotated[str | None, typer.Argument(help="All pipelines without one.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Show what each stage has published, the champion, a pause and the last verdict; Airflow need not run."""
    settings = Settings.from_environment()
    found = [read_status(each, settings) for each in chosen(settings, pipeline)]
    if as_json:
        typer.echo(json.dumps([each.model_dump(mode="json") for each in found], indent=2))
        return
    for each in found:
        _print(each)


def _print(status: PipelineStatus) -> None:
    table = Table("stage", "latest", "partitions", "degraded", "blocked", title=status.pipeline, title_justify="left")
    for stage in status.stages:
        counts = (stage.partitions, stage.degraded, stage.blocked)
        table.add_row(stage.stage, str(stage.latest or "-"), *map(str, counts))
    console.print(table)
    for view, days in status.stale.items():
        shown = listed([*map(str, days)])
        line = (
            f"stale     {view}: {counted(len(days), 'day')} computed from other inputs, SQL or types than now: {shown}"
        )
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    if status.stale:
        found = [day for days in status.stale.values() for day in days]
        console.print(
            f"          to heal them: {healing_command(status.pipeline, found)}", highlight=False, soft_wrap=True
        )
    champion, verdict = status.champion, status.verdict
    if champion is None:
        console.print("champion  none yet")
    else:
        console.print(
            f"champion  version {champion.version} since {champion.effective_from} (epoch {champion.epoch})",
            highlight=False,
        )
        if champion.superseded:
            count = counted(len(champion.superseded), "partition")
            line = f"data      trained on {count} that changed since: {listed(champion.superseded)}"
            console.print(line, highlight=False, markup=False, soft_wrap=True)
        if champion.standing:
            console.print(f"standing  {champion.standing}", highlight=False, markup=False, soft_wrap=True)
    if status.pinned:
        console.print(f"pinned    {status.pinned}; the gate judges and does not move it", highlight=False, markup=False)
    if status.paused:
        line = f"paused    no training until {status.paused.until}, or until the data has changed: {status.paused.why}"
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    for each in status.withdrawn:
        line = f"withdrawn {each.table} {each.partition} by {each.actor} on {each.decided_at:%Y-%m-%d %H:%M} UTC"
        line += (f": {each.reason}" if each.reason else "") + (
            "" if each.done else "; not finished: see airloom doctor"
        )
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    if verdict is not None:
        line = f"verdict   {verdict.partition}: {verdict.outcome}, version {verdict.challenger}; {verdict.reasons}"
        console.print(line, highlight=False, markup=False, soft_wrap=True)
