"""`airloom doctor`: looks at everything that an installation needs, and says what to do where something is wrong."""

from __future__ import annotations

import json
import sys
from collections import Counter
from contextlib import redirect_stdout
from dataclasses import asdict
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from airloom.cli.console import console, errors
from airloom.core.errors import SetupError
from airloom.core.wording import counted
from airloom.launcher.doctor.examination import examine
from airloom.launcher.doctor.findings import Finding

_MARKS = {"ok": ("✓", "green"), "skipped": ("-", "dim"), "warning": ("!", "yellow"), "wrong": ("✗", "red")}


def doctor(as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False) -> None:
    """Look at packages, servers, permissions and secrets, and say how to mend what is wrong; nothing is changed."""
    # Libraries log to the standard output, which is for what was found.
    with errors.status("looking"), redirect_stdout(sys.stderr):
        found = examine()
    if as_json:
        typer.echo(json.dumps([asdict(each) for each in found], indent=2))
    else:
        _print(found)
    if any(each.state == "wrong" for each in found):
        raise typer.Exit(SetupError.exit_code)


def _print(found: list[Finding]) -> None:
    table = Table.grid(padding=(0, 1))
    for each in found:
        mark, style = _MARKS[each.state]
        table.add_row(Text(mark, style), Text(each.check, no_wrap=True), Text(each.said))
        if each.do:
            table.add_row("", "", Text(f"→ {each.do}", style))
    console.print(table, highlight=False)
    states = Counter(each.state for each in found)
    console.print(f"\n{states['wrong']} wrong, {counted(states['warning'], 'warning')}", highlight=False)
