"""Removes what nobody needs any more: files of replaced partitions, and old files of a folder."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from datetime import UTC, datetime, timedelta
from functools import partial

from airloom.core.places import Place, S3Path
from airloom.core.vacuumed import Freed
from airloom.stores.files import files_below, remove_file
from airloom.stores.lake import Lake
from airloom.stores.objects import Stored, abandoned_uploads
from airloom.stores.s3 import explained
from airloom.stores.tables import LOG, open_table

#: A file that is younger may belong to a write that is under way, which no commit names yet.
UNDER_WAY = timedelta(days=1)


def vacuum_table(lake: Lake, table: str, older_than: timedelta, keep: Collection[int], dry_run: bool) -> Freed:
    """Remove the files of a table that neither its newest commit nor a kept one names.

    A table whose folder holds another one is left alone: to its own log, the other's files are leftovers.

    Args:
        lake: The lake.
        table: A table of it.
        older_than: Files that were replaced less long ago stay.
        keep: Commits that must stay readable. The log itself is never shortened.
        dry_run: Only count.
    """
    if holds := _inner_tables(lake.path(table)):
        return Freed(name=table, files=0, size=0, holds=holds)
    newest = lake.commit(table) or 0
    kept = sorted({commit for commit in keep if commit <= newest})
    replaced = _vacuum(lake.path(table), older_than, kept, dry_run, full=False)
    abandoned = _vacuum(lake.path(table), max(older_than, UNDER_WAY), kept, dry_run, full=True)
    sizes = {**replaced, **abandoned}
    return Freed(name=table, files=len(sizes), size=sum(sizes.values()))


def _inner_tables(folder: Place) -> tuple[str, ...]:
    """Return the folders of other tables below that of a table."""
    paths = (str(each.place).removeprefix(f"{folder}/").split("/") for each in files_below(folder))
    return tuple(sorted({"/".join(path[: path.index(LOG)]) for path in paths if LOG in path[1:]}))


def _vacuum(folder: Place, older_than: timedelta, keep: list[int], dry_run: bool, full: bool) -> dict[str, int]:
    """Return the removed files with their sizes; a vacuum that removes nothing leaves no commit.

    Without `full` these are files that the log says were replaced; with it, also files that the log does not know, or
    no longer: left behind by a write that was killed, or replaced before the log's last checkpoint.
    """
    delta, hours = open_table(folder), math.ceil(older_than / timedelta(hours=1))
    vacuum = partial(delta.vacuum, hours, enforce_retention_duration=False, full=full, keep_versions=keep or None)
    there = {each.place: each.size for each in files_below(folder)}
    with explained(folder):
        # It also names what earlier ones have removed.
        sizes = {path: there[folder / path] for path in vacuum(dry_run=True) if folder / path in there}
        if sizes and not dry_run:
            vacuum(dry_run=False)
    return sizes


def vacuum_files(name: str, files: Iterable[Stored], older_than: timedelta, dry_run: bool) -> Freed:
    """Remove files that have not been written to for long; those of a run that is under way always stay.

    Args:
        name: What they are.
        files: The files that may go.
        older_than: Files that were written less long ago stay.
        dry_run: Only count.
    """
    oldest = datetime.now(UTC) - max(older_than, UNDER_WAY)
    old = [file for file in files if file.modified < oldest]
    for file in () if dry_run else old:
        remove_file(file.place)
    return Freed(name=name, files=len(old), size=sum(file.size for file in old))


def vacuum_uploads(place: S3Path, dry_run: bool) -> Freed:
    """Remove the parts of uploads to a bucket that were killed."""
    sizes = abandoned_uploads(place, UNDER_WAY, abort=not dry_run)
    return Freed(name="unfinished uploads", files=len(sizes), size=sum(sizes))
