"""`airloom import`: brings what one machine has made to the servers of this installation."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from airloom.cli.console import console, services
from airloom.cli.parts import print_parts
from airloom.launcher.brought import Brought
from airloom.launcher.given import adopt
from airloom.launcher.importing.installation import import_installation


def import_(
    var: Annotated[Path, typer.Argument(help="The folder var of an installation on one machine, which is stopped.")],
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Copy everything that an installation on one machine has made to the servers of this one, before its first run."""
    here = services()
    adopt(here.settings, here.ports)
    done: list[Brought] = []
    try:
        with console.status("importing") as status:
            report = (lambda _: None) if as_json else status.update
            done.extend(import_installation(var, here.settings, report))
    finally:
        print_parts(done, as_json)
