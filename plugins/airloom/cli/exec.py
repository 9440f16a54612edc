"""`airloom exec`: a command in the environment of this installation."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from airloom.cli.console import services
from airloom.core.errors import UsageError
from airloom.launcher.given import completed


def exec_(command: Annotated[list[str], typer.Argument(help="The command and its arguments, after --.")]) -> None:
    """Become a command, in this installation's environment; variables that are set already win."""
    servers = services()
    variables = completed(servers.settings, servers.ports, os.environ)
    try:
        os.execvpe(command[0], command, variables)  # noqa: S606 - no shell is wanted
    except OSError as error:
        raise UsageError(
            "This is no command that can be run.",
            found=f"{command[0]}: {error.strerror}",
            expected="a program, as in: airloom exec -- airflow version",
        ) from None
