"""Where the commands write, and what they all start with."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from getpass import getuser

from rich.console import Console
from rich.table import Table
from rich.text import Text

from airloom.core.declaration import find_pipeline, read_pipelines
from airloom.core.errors import AirloomError, UsageError
from airloom.core.pipeline import Pipeline
from airloom.core.settings import Settings
from airloom.launcher.ports import Ports
from airloom.launcher.services import Services

#: Where there is no terminal to ask, as in a log, tables get the room that their sentences need.
console = Console(width=None if sys.stdout.isatty() else 120)
errors = Console(stderr=True)


def print_error(error: AirloomError) -> None:
    """Print what a person should read of an error."""
    errors.print(str(error), style="red", markup=False, highlight=False, soft_wrap=True)


def services() -> Services:
    """Return the servers of the installation that the environment names."""
    return Services(Settings.from_environment(), Ports.from_environment())


def chosen(settings: Settings, name: str | None) -> list[Pipeline]:
    """Return the pipeline of a name, or all of them without one.

    Raises:
        DeclarationError: There is no such pipeline, or one of them is broken.
        UsageError: There is no pipeline at all.
    """
    if name is not None:
        return [find_pipeline(settings.include, name)]
    pipelines, broken = read_pipelines(settings.include)
    if broken:
        raise broken[0]
    if not pipelines:
        raise UsageError("There is no pipeline.", where=str(settings.include), do="declare one in its own folder there")
    return pipelines


def user() -> str:
    """Return who runs the command, for what is kept of it."""
    try:
        return getuser()
    except (KeyError, OSError):
        return "somebody"  # A container's user need not have a name.


def print_lines(lines: Iterable[tuple[str, str]]) -> None:
    """Print names and what is to be said about each, one under the other."""
    grid = Table.grid(padding=(0, 2))
    for name, text in lines:
        grid.add_row(Text(name, no_wrap=True), Text(text))
    console.print(grid, highlight=False)
