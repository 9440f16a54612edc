"""`airloom upgrade`: brings what is kept in databases to what this code works with."""

from __future__ import annotations

from typing import Annotated

import typer

from airloom.cli.console import console, services, user
from airloom.cli.parts import print_parts
from airloom.core.errors import UsageError
from airloom.launcher.brought import Brought
from airloom.launcher.deployment import deploy
from airloom.launcher.given import adopt, on_servers
from airloom.launcher.upgrade import rename_columns
from airloom.launcher.upgrade import upgrade as upgraded


def upgrade(
    create_bucket: Annotated[bool, typer.Option("--create-bucket", help="Make the bucket of the storage too.")] = False,
    accept_loss: Annotated[
        bool, typer.Option("--accept-loss", help="Go on without champions that the state database does not have.")
    ] = False,
    rename: Annotated[
        bool, typer.Option("--rename-columns", help="Give our columns of predictions the prefix that new tables have.")
    ] = False,
    pipeline: Annotated[
        str | None, typer.Argument(help="Whose columns are renamed; all pipelines without one.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Bring every database to what this code works with, and register the features of pipelines; once a deployment."""
    if pipeline and not rename:
        raise UsageError(
            "All pipelines are upgraded together.", found=pipeline, do="name one with --rename-columns only"
        )
    servers = services()
    adopt(servers.settings, servers.ports)
    done: list[Brought] = []
    try:
        with console.status("upgrading") as status:
            report = (lambda _: None) if as_json else status.update
            if on_servers():
                done.extend(deploy(servers.settings, report))
            done.extend(upgraded(servers.settings, report, create_bucket, user() if accept_loss else None))
            if rename:
                done.extend(rename_columns(servers.settings, pipeline, report))
    finally:
        print_parts(done, as_json)
