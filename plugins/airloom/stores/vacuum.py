"""Removes what nobody needs any more: files of replaced partitions, and old files of a folder."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from airloom.core.vacuumed import Freed
from airloom.stores.lake import Lake

#: A file that is younger may belong to a write that is under way, which no commit names yet.
UNDER_WAY = timedelta(days=1)


def vacuum_table(lake: Lake, table: str, older_than: timedelta, keep: Collection[int], dry_run: bool) -> Freed:
    """Remove the files of a table that neither its newest commit nor a kept one names.

    Args:
        lake: The lake.
        table: A table of it.
        older_than: Files that were replaced less long ago stay.
        keep: Commits that must stay readable. The log itself is never shortened.
        dry_run: Only count.
    """
    newest = lake.commit(table) or 0
    kept = sorted({commit for commit in keep if commit <= newest})
    replaced = _vacuum(lake.path(table), older_than, kept, dry_run, full=False)
    abandoned = _vacuum(lake.path(table), max(older_than, UNDER_WAY), kept, dry_run, full=True)
    return Freed(name=table, **_sums({**replaced, **abandoned}))


def _vacuum(folder: Path, older_than: timedelta, keep: list[int], dry_run: bool, full: bool) -> dict[str, int]:
    """Return the removed files with their sizes; a vacuum that removes nothing leaves no commit.

    Without `full` these are files that the log says were replaced; with it, also files that the log does not know, or
    no longer: left behind by a write that was killed, or replaced before the log's last checkpoint.
    """
    from deltalake import DeltaTable

    delta, hours = DeltaTable(folder), math.ceil(older_than / timedelta(hours=1))
    vacuum = partial(delta.vacuum, hours, enforce_retention_duration=False, full=full, keep_versions=keep or None)
    # It also names what earlier ones have removed.
    sizes = {path: (folder / path).stat().st_size for path in vacuum(dry_run=True) if (folder / path).is_file()}
    if sizes and not dry_run:
        vacuum(dry_run=False)
    return sizes


def vacuum_files(name: str, files: Iterable[Path], older_than: timedelta, dry_run: bool) -> Freed:
    """Remove files that have not been written to for long; those of a run that is under way always stay.

    Args:
        name: What they are.
        files: The files that may go.
        older_than: Files that were written less long ago stay.
        dry_run: Only count.
    """
    oldest = (datetime.now(UTC) - max(older_than, UNDER_WAY)).timestamp()
    old = [file for file in files if file.is_file() and file.stat().st_mtime < oldest]
    freed = Freed(name=name, **_sums({str(file): file.stat().st_size for file in old}))
    for file in () if dry_run else old:
        file.unlink(missing_ok=True)
    return freed


def _sums(sizes: dict[str, int]) -> dict[str, int]:
    return {"files": len(sizes), "size": sum(sizes.values())}
