"""`airloom rollback`, `promote`, `pin` and `unpin`: a person acts on the champion, through the champion DAG."""

from __future__ import annotations

from datetime import date
from typing import Annotated

import typer

from airloom.cli.console import chosen, console, services
from airloom.core.partitions import parse_partition
from airloom.launcher.champion import Wish, move
from airloom.stores.pins import Pins

_Pipeline = Annotated[str, typer.Argument(help="Name of the pipeline.")]
_Reason = Annotated[str, typer.Option(help="Why; it is kept in the ledger.")]
_From = Annotated[
    str | None, typer.Option("--from", help="The day from which it is champion; the newest one that can be scored.")
]
_Rescore = Annotated[bool, typer.Option("--rescore", help="Predict again at once, from that day on.")]


def rollback(
    pipeline: _Pipeline,
    reason: _Reason,
    to: Annotated[int | None, typer.Option(min=1, help="The version; the champion before without one.")] = None,
    first: _From = None,
    rescore: _Rescore = False,
) -> None:
    """Make the champion before this one the champion again, or a named version."""
    _move(pipeline, Wish("rollback", to, _day(first), reason, rescore))


def promote(
    pipeline: _Pipeline,
    version: Annotated[int, typer.Argument(min=1, help="The version.")],
    reason: _Reason,
    first: _From = None,
    rescore: _Rescore = False,
) -> None:
    """Make a version the champion whatever the gate has said of it."""
    _move(pipeline, Wish("promote", version, _day(first), reason, rescore))


def pin(pipeline: _Pipeline, reason: _Reason) -> None:
    """Keep the champion: the gate goes on judging and does not move it."""
    _move(pipeline, Wish("pin", None, None, reason))


def unpin(pipeline: _Pipeline, reason: _Reason) -> None:
    """Let the gate move the champion again."""
    _move(pipeline, Wish("unpin", None, None, reason))


def _day(text: str | None) -> date | None:
    return parse_partition(text) if text else None


def _move(pipeline: str, wish: Wish) -> None:
    servers = services()
    [declared] = chosen(servers.settings, pipeline)
    with console.status("waiting for the champion DAG"):
        champion = move(servers.settings, servers.ports, declared, wish)
    held = Pins(servers.settings.state_url).current(declared.name)
    console.print(
        f"{declared.name}: champion is version {champion.version} from {champion.effective_from} on "
        f"(epoch {champion.epoch}, by {champion.actor})" + (f"; pinned {held}" if held else ""),
        highlight=False,
    )
