"""`airloom apply`: register what a pipeline's folder defines."""

from __future__ import annotations

from typing import Annotated

import typer

from airloom.cli.console import chosen, console, print_error, services
from airloom.core.errors import AirloomError, DataError, DeclarationError
from airloom.launcher.features import apply_pipeline
from airloom.launcher.given import adopt


def apply(pipeline: Annotated[str | None, typer.Argument(help="All pipelines without one.")] = None) -> None:
    """Register the feature definitions of a pipeline in Feast's registry."""
    servers = services()
    adopt(servers.settings, servers.ports)
    broken: list[AirloomError] = []
    for each in chosen(servers.settings, pipeline):
        try:
            with console.status(f"registering the features of {each.name}"):
                apply_pipeline(servers.settings, each)
            console.print(f"{each.name}: {len(each.features.views)} feature views are registered.", highlight=False)
        except (DeclarationError, DataError) as error:
            broken.append(error)
    for problem in broken:
        print_error(problem)
    if broken:
        raise typer.Exit(DeclarationError.exit_code)
