"""`airloom status`: where every pipeline is."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from datetime import date
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
    for line in [*_stale(status), *_champion(status), *_withdrawn(status)]:
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    if (verdict := status.verdict) is not None:
        line = f"verdict   {verdict.partition}: {verdict.outcome}, version {verdict.challenger}; {verdict.reasons}"
        console.print(line, highlight=False, markup=False, soft_wrap=True)


def _stale(status: PipelineStatus) -> Iterator[str]:
    for view, days in status.stale.items():
        yield f"stale     {view}: {_computed_from(days, 'inputs, SQL or types')}"
    if status.stale:
        found = [day for days in status.stale.values() for day in days]
        yield f"          to heal them: {healing_command(status.pipeline, found)}"
    if days := status.stale_labels:
        yield f"stale     labels: {_computed_from(days, 'inputs or query')}"
        yield "          a training whose window holds them computes them again"


def _computed_from(days: Collection[date], what: str) -> str:
    return f"{counted(len(days), 'day')} computed from other {what} than now: {listed([*map(str, days)])}"


def _champion(status: PipelineStatus) -> Iterator[str]:
    champion = status.champion
    if champion is None:
        yield "champion  none yet"
    else:
        yield f"champion  version {champion.version} since {champion.effective_from} (epoch {champion.epoch})"
        if champion.superseded:
            count = counted(len(champion.superseded), "partition")
            yield f"data      trained on {count} that changed since: {listed(champion.superseded)}"
        if champion.standing:
            yield f"standing  {champion.standing}"
    if status.pinned:
        yield f"pinned    {status.pinned}; the gate judges and does not move it"
    if status.paused:
        yield f"paused    no training until {status.paused.until}, or until the data has changed: {status.paused.why}"


def _withdrawn(status: PipelineStatus) -> Iterator[str]:
    for each in status.withdrawn:
        line = f"withdrawn {each.table} {each.partition} by {each.actor} on {each.decided_at:%Y-%m-%d %H:%M} UTC"
        reason = f": {each.reason}" if each.reason else ""
        yield f"{line}{reason}" + ("" if each.done else "; not finished: see airloom doctor")
