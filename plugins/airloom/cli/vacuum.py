"""`airloom vacuum`: frees the disk of what no version needs that may have to be made again."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Annotated

import typer
from pydantic import TypeAdapter, ValidationError
from rich.table import Table

from airloom.cli.console import chosen, console, print_lines
from airloom.core.declared import Duration
from airloom.core.errors import UsageError
from airloom.core.settings import Settings
from airloom.core.vacuumed import Vacuumed
from airloom.core.wording import counted, lasting
from airloom.steps.vacuum import vacuum as vacuumed


def vacuum(
    pipeline: Annotated[str, typer.Argument(help="Name of the pipeline.")],
    older_than: Annotated[str, typer.Option(help="Keep what was replaced or judged less long ago: 30d, 12h.")] = "30d",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be removed.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Remove old files that are not needed to make any champion, or a recent challenger, again."""
    settings, retention = Settings.from_environment(), _duration(older_than)
    [declared] = chosen(settings, pipeline)
    if as_json:
        typer.echo(vacuumed(declared, retention, settings, dry_run).model_dump_json(indent=2))
        return
    with console.status("looking for files that nobody needs"):
        found = vacuumed(declared, retention, settings, dry_run)
    _print(found)


def _duration(text: str) -> timedelta:
    try:
        return TypeAdapter(Duration).validate_python(text)
    except ValidationError:
        raise UsageError(
            "This is not a retention.", found=repr(text), expected="a number and a unit (s, m, h or d), for example 30d"
        ) from None


def _print(found: Vacuumed) -> None:
    table = Table("place", "files", "size")
    for each in found.freed:
        if each.files:
            table.add_row(each.name, f"{each.files:,}", _size(each.size))
    if table.row_count:
        console.print(table, highlight=False)
    print_lines(_lines(found))


def _lines(found: Vacuumed) -> Iterator[tuple[str, str]]:
    files, size = sum(each.files for each in found.freed), sum(each.size for each in found.freed)
    yield "would free" if found.dry_run else "freed", f"{counted(files, 'file')}, {_size(size)}"
    if found.hours:
        yield "kept", f"all that was replaced, written or judged in the last {lasting(timedelta(hours=found.hours))}"
    for kept in found.kept:
        tables = counted(len(kept.commits), "table")
        yield "kept", f"version {kept.version}, {kept.why}: {tables} as it was trained on them, and its training set"
    for each in found.freed:
        if each.holds:
            yield "left alone", f"{each.name}: its folder holds other tables, {', '.join(each.holds)}; move them out"
    for lost in found.lost:
        yield "not kept", f"version {lost.version}, {lost.why}"


def _size(size: int) -> str:
    """Return a size as people read it: 12.3 MB."""
    for unit, bytes_each in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size >= bytes_each:
            return f"{size / bytes_each:.1f} {unit}"
    return counted(size, "byte")
