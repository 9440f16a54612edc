"""`airloom unpublish`: takes a published day back."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import date
from typing import Annotated

import typer

from airloom.cli.console import chosen, console, print_lines, user
from airloom.core.errors import UsageError
from airloom.core.partitions import parse_partition
from airloom.core.pipeline import Pipeline
from airloom.core.records import Withdrawn
from airloom.core.settings import Settings
from airloom.core.wording import counted
from airloom.launcher.withdrawal import tell_lineage
from airloom.steps.outcomes import PREDICTIONS
from airloom.steps.unpublish import find_table, preview
from airloom.steps.unpublish import unpublish as take_back

#: How many things that were built on the day are named.
_NAMED = 20


def unpublish(
    pipeline: Annotated[str, typer.Argument(help="Name of the pipeline.")],
    table: Annotated[str, typer.Argument(help="The table or the feature view, or: predictions.")],
    day: Annotated[str, typer.Option(help="The day, YYYY-MM-DD.")],
    reason: Annotated[str, typer.Option(help="Why; it is kept.")] = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="For programs; needs --yes.")] = False,
) -> None:
    """Take a published day back: from the lake, the online store and copied predictions, until it is run again."""
    settings, partition = Settings.from_environment(), parse_partition(day)
    [declared] = chosen(settings, pipeline)
    name = find_table(declared, table)
    begun, built = preview(declared, name, partition, settings)
    if begun and not as_json:
        left = "nothing is left to be done" if begun.done else "what is left is done now"
        console.print(f"begun before: {begun}; {left}", highlight=False, markup=False, soft_wrap=True)
    if not (yes or (begun and begun.done)):
        _require_consent(declared, name, partition, built, can_ask=sys.stdin.isatty() and not as_json)
    record = take_back(declared, name, partition, user(), reason, settings, lambda told: tell_lineage(told, settings))
    if as_json:
        typer.echo(record.model_dump_json(indent=2, exclude={"inputs", "outputs"}))
    else:
        print_lines(_lines(record))


def _require_consent(pipeline: Pipeline, table: str, day: date, built: list[str], can_ask: bool) -> None:
    """Say what would be done, and ask.

    Raises:
        UsageError: Nobody can be asked.
        Abort: The person says no.
    """
    if not can_ask:
        raise UsageError(
            f"This takes {table} of {day} of {pipeline.name} back.",
            found="nobody who can be asked",
            do="look at what was built on it with airloom impact, then say it again with --yes",
        )
    print_lines(_built(built, "would make stale"))
    typer.confirm(f"Take {table} of {day} of {pipeline.name} back?", abort=True)


def _lines(record: Withdrawn) -> Iterator[tuple[str, str]]:
    rows = f", {counted(record.rows, 'row')}" if record.rows is not None else ""
    yield "taken back", f"{record.table} of {record.partition}{rows}, version {record.version}"
    yield "by", f"{record.actor} on {record.decided_at:%Y-%m-%d %H:%M:%S} UTC"
    if record.reason:
        yield "why", record.reason
    if record.commit is not None:
        yield "readable", f"as of commit {record.commit} of {record.table}, until airloom vacuum removes it"
    yield from _built(list(record.built), "made stale")
    yield "again", f"airloom run {record.pipeline} --stage {_stage(record.table)} --day {record.partition}"


def _built(built: list[str], verb: str) -> Iterator[tuple[str, str]]:
    yield verb, built[0] if built else "nothing: nothing was built on it"
    yield from (("", each) for each in built[1:_NAMED])
    if len(built) > _NAMED:
        yield "", f"and {len(built) - _NAMED} more"


def _stage(table: str) -> str:
    if table == PREDICTIONS:
        return "score"
    return "features" if table.startswith("features.") else "ingest"
