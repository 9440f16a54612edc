"""`airloom lineage`: what became of lineage events, and sending again what was lost."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from airloom.cli.console import console, errors, services
from airloom.core.errors import SetupError
from airloom.core.settings import Settings
from airloom.launcher.given import adopt
from airloom.launcher.lineage import lineage_state, resend_events
from airloom.lineage.delivery.resend import Resent

lineage = typer.Typer(
    help="Lineage events: what became of them, and sending again what was lost.", no_args_is_help=True
)

_Json = Annotated[bool, typer.Option("--json", help="For programs.")]


@lineage.command()
def status(as_json: _Json = False) -> None:
    """Show how many events there are, and how many the backend has not accepted; Airflow need not run."""
    found = lineage_state(Settings.from_environment())
    if as_json:
        typer.echo(json.dumps(asdict(found), indent=2, default=str))
        return
    refused = "; ".join(f"{count:,} with {words}" for words, count in found.refused.items())
    lines = {
        "file": f"{found.file}: {found.events:,} events",
        "backend": found.backend or "none; AIRLOOM_LINEAGE_URL names one",
        "unsent": f"{found.unsent:,}" + ("; to send them: airloom lineage resend" if found.unsent else ""),
        "refused": refused or "0",
    }
    for name, text in lines.items():
        console.print(f"{name:<9}{text}", highlight=False, markup=False, soft_wrap=True)


@lineage.command()
def resend(as_json: _Json = False) -> None:
    """Send every event that the backend has not accepted, the oldest first; what it accepts is forgotten."""
    servers = services()
    # An Airflow connection may hold the key.
    adopt(servers.settings, servers.ports)
    done = _with_progress(servers.settings)
    if as_json:
        typer.echo(json.dumps(asdict(done), indent=2))
    else:
        console.print(f"{done.accepted:,} sent, {done.refused:,} refused, {done.left:,} left", highlight=False)
    if done.problem:
        raise SetupError(
            "The lineage backend did not accept every event.",
            found=done.problem,
            do="see that it is there and lets you in, then run the same again",
        )


def _with_progress(settings: Settings) -> Resent:
    """Send, and show how far that is where somebody looks."""
    columns = (TextColumn("sending"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=errors, disable=not errors.is_terminal, transient=True) as bar:
        task = bar.add_task("sending", total=None)
        return resend_events(settings, lambda looked, total: bar.update(task, completed=looked, total=total))
