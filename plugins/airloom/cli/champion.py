"""`airloom rollback`, `promote`, `pin` and `unpin`: a person acts on the champion, through the champion DAG."""

from __future__ import annotations

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


def rollback(
    pipeline: _Pipeline,
    reason: _Reason,
    to: Annotated[int | None, typer.Option(min=1, help="The version; the champion before without one.")] = None,
    first: _From = None,
) -> None:
    """Make the champion before this one the champion again, or a named version."""
    _move(pipeline, "rollback", to, first, reason)


def promote(
    pipeline: _Pipeline,
    version: Annotated[int, typer.Argument(min=1, help="The version.")],
    reason: _Reason,
    first: _From = None,
) -> None:
    """Make a version the champion whatever the gate has said of it."""
    _move(pipeline, "promote", version, first, reason)


def pin(pipeline: _Pipeline, reason: _Reason) -> None:
    """Keep the champion: the gate goes on judging and does not move it."""
    _move(pipeline, "pin", None, None, reason)


def unpin(pipeline: _Pipeline, reason: _Reason) -> None:
    """Let the gate move the champion again."""
    _move(pipeline, "unpin", None, None, reason)


def _move(pipeline: str, action: str, version: int | None, first: str | None, reason: str) -> None:
    servers = services()
    [declared] = chosen(servers.settings, pipeline)
    day = parse_partition(first) if first else None
    with console.status("waiting for the champion DAG"):
        champion = move(servers.settings, servers.ports, declared, Wish(action, version, day, reason))
    held = Pins(servers.settings.state_url).current(declared.name)
    console.print(
        f"{declared.name}: champion is version {champion.version} from {champion.effective_from} on "
        f"(epoch {champion.epoch}, by {champion.actor})" + (f"; pinned {held}" if held else ""),
        highlight=False,
    )
