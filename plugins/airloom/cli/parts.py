"""The parts of an installation, and what became of each."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict

import typer
from rich.table import Table
from rich.text import Text

from airloom.cli.console import console
from airloom.launcher.brought import Brought


def print_parts(parts: Sequence[Brought], as_json: bool) -> None:
    """Tell what was done, also before something could not be done."""
    if as_json:
        typer.echo(json.dumps([asdict(each) for each in parts], indent=2))
        return
    table = Table("part", "now")
    for each in parts:
        table.add_row(each.part, Text(each.outcome))
    if parts:
        console.print(table, highlight=False)
