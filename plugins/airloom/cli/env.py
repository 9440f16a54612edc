"""`airloom env`: the environment for Airflow's own commands."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import typer

from airloom.cli.console import services
from airloom.launcher.environment import environment


def env() -> None:
    """Print the environment of this installation, for: eval "$(airloom env)"."""
    servers = services()
    for name, value in environment(servers.settings, servers.ports).items():
        typer.echo(f"export {name}={shlex.quote(value)}")
    typer.echo(f'export PATH={shlex.quote(str(Path(sys.executable).parent))}:"$PATH"')
