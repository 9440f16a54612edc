"""The command `airloom`."""

from __future__ import annotations

import gc
import logging
import os
import sys
from typing import Annotated

import typer

from airloom.cli.apply import apply
from airloom.cli.backfill import backfill
from airloom.cli.champion import pin, promote, rollback, unpin
from airloom.cli.console import print_error
from airloom.cli.demo import demo
from airloom.cli.diff import diff
from airloom.cli.doctor import doctor
from airloom.cli.down import down
from airloom.cli.env import env
from airloom.cli.exec import exec_
from airloom.cli.impact import impact
from airloom.cli.import_ import import_
from airloom.cli.interrupts import keep_interrupts
from airloom.cli.ledger import ledger
from airloom.cli.lineage import lineage
from airloom.cli.reproduce import reproduce
from airloom.cli.run import run
from airloom.cli.status import status
from airloom.cli.trace import trace
from airloom.cli.unpublish import unpublish
from airloom.cli.up import up
from airloom.cli.upgrade import upgrade
from airloom.cli.vacuum import vacuum
from airloom.cli.verdict import verdict
from airloom.connections import use_connections
from airloom.core.errors import AirloomError, UnexpectedError
from airloom.core.failures import failure
from airloom.launcher.given import among_servers

_log = logging.getLogger(__name__)

app = typer.Typer(
    name="airloom",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
COMMANDS = (
    *(up, down, demo, env, backfill, run, status),
    *(ledger, verdict, diff, trace, impact, reproduce, vacuum, unpublish),
    *(rollback, promote, pin, unpin, apply, upgrade, doctor),
)
for command in COMMANDS:
    app.command()(command)
app.command("import")(import_)
app.command("exec")(exec_)
app.add_typer(lineage, name="lineage")


@app.callback()
def begin(
    command: typer.Context,
    debug: Annotated[
        bool, typer.Option("--debug", help="Print the traceback of an error; it may hold values of the data.")
    ] = False,
) -> None:
    """Airloom: an Apache Airflow distribution for continuous training."""
    if debug:
        _log.setLevel(logging.DEBUG)
        _log.addHandler(logging.StreamHandler())
        _log.propagate = False
    # What `exec` starts looks its connections up itself, where Airflow lets it; `doctor` says which cannot be.
    if command.invoked_subcommand not in ("exec", "doctor"):
        with among_servers():
            use_connections()


def main() -> None:
    """Run the command line; an error ends with a message, and with a traceback only where that is asked for."""
    # What Airloom keeps is readable by its owner only.
    os.umask(0o077)
    # Importing makes a million objects that stay; looking through them again and again takes a quarter of the time.
    gc.set_threshold(100_000)
    keep_interrupts()
    try:
        app()
    except Exception as error:  # noqa: BLE001 - whatever it is, its own message may hold values of the data
        _log.debug("The error as it was raised:", exc_info=error)
        described = error if isinstance(error, AirloomError) else _unexpected(error)
        print_error(described)
        sys.exit(described.exit_code)


def _unexpected(error: Exception) -> UnexpectedError:
    return UnexpectedError(
        "The command has failed.",
        found=failure(error),
        do="run it again as `airloom --debug <command>`, which prints the error's own message and its traceback",
    )
