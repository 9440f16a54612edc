"""Delta tables, each opened once a thread: its log is read as a whole only then, and later only what is new in it.

In a bucket opening takes some twenty requests, and a task asks for the same tables again and again.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from itertools import count, takewhile
from pathlib import Path
from typing import TYPE_CHECKING

from airloom.core.places import Place, S3Path
from airloom.stores.files import stored_file
from airloom.stores.objects import Stored, objects_below
from airloom.stores.partition_columns import partition_columns
from airloom.stores.s3 import explained, table_options

if TYPE_CHECKING:
    from deltalake import DeltaTable
    from pyarrow.dataset import Dataset

#: The folder of a table's commits.
LOG = "_delta_log"
#: A process that looks at very many commits, as when a version is trained again, does not keep them all.
_MOST = 64

_Key = tuple[Place, int | None]


@dataclass
class _Opened:
    """A table, and what shows whether it is still the one that was opened.

    Args:
        table: The table as it was read.
        options: By which it was reached.
        commit: The file of the commit that it is at.
    """

    table: DeltaTable
    options: Mapping[str, str] | None
    commit: Stored | None


class _Known(threading.local):
    """What this thread has opened: a table changes when it is looked at again, and does so under nobody's hands."""

    def __init__(self) -> None:
        self.process = os.getpid()
        self.tables: dict[_Key, _Opened] = {}


_known = _Known()


def open_table(place: Place, commit: int | None = None) -> DeltaTable:
    """Open a table, in a bucket with credentials that are good now.

    Args:
        place: Its folder.
        commit: At which it is to be; the newest unless given. Whoever asks for the newest again has the same object,
            which then shows what is the newest by then.

    Raises:
        TableNotFoundError: There is no table.
        DeltaError: The table has no such commit.
        SetupError: S3 refuses, or cannot be reached.
    """
    with explained(place):
        options, tables = table_options(place), _tables()
        opened = tables.pop((place, commit), None)
        if opened is None or opened.options != options or not _is_current(opened, place, commit):
            opened = _read(place, commit, options)
        if len(tables) >= _MOST:
            tables.clear()
        tables[place, commit] = opened
        return opened.table


def open_days(table: DeltaTable, place: Place, days: Iterable[date]) -> Dataset:
    """Open days of a table for reading.

    Files of this machine are read by Arrow alone. Through deltalake their bytes are objects of Python, and a thread of
    Arrow that drops the last of them while the process ends aborts it (apache/arrow issue 34314).

    Args:
        table: The table.
        place: Its folder.
        days: The days; those that the table has not are simply not there.
    """
    from pyarrow.fs import LocalFileSystem, SubTreeFileSystem

    files = None if isinstance(place, S3Path) else SubTreeFileSystem(str(place), LocalFileSystem())
    day, wanted = partition_columns(table.metadata().partition_columns)[0], [each.isoformat() for each in days]
    return table.to_pyarrow_dataset(filesystem=files, file_pruning_predicate=[(day, "in", wanted)])


def forget_table(place: Place) -> None:
    """Let a table be read as a whole the next time."""
    _tables().pop((place, None), None)


def _tables() -> dict[_Key, _Opened]:
    """Return what this thread has opened, nothing of which may be carried over a fork."""
    if _known.process != os.getpid():
        _known.process, _known.tables = os.getpid(), {}
    return _known.tables


def _read(place: Place, commit: int | None, options: dict[str, str] | None) -> _Opened:
    from deltalake import DeltaTable

    table = DeltaTable(str(place), version=commit, storage_options=options)
    return _Opened(table, options, next(iter(_commits(place, table.version())), None))


def _is_current(opened: _Opened, place: Place, commit: int | None) -> bool:
    """Bring a table to its newest commit, unless it is not the one that was opened any more, as after a restore."""
    if opened.commit is None:
        return False
    there = _commits(place, _number(opened.commit))
    if not there or there[0] != opened.commit:
        return False
    if commit is None:
        # Who has written to it has brought it further already.
        if opened.table.version() < _number(there[-1]):
            opened.table.update_incremental()
        opened.commit = next((each for each in there if _number(each) == opened.table.version()), None)
    return True


def _commits(place: Place, first: int) -> list[Stored]:
    """Return the files of a table's commits from one on, in their order: one request, or a look at each."""
    log = place / LOG
    if isinstance(log, S3Path):
        found = objects_below(log, after=_commit_name(first)[:-1])
        return [each for each in found if each.place.name.endswith(".json")]
    paths = (log / _commit_name(number) for number in count(first))
    return [stored_file(path) for path in takewhile(Path.is_file, paths)]


def _commit_name(number: int) -> str:
    return f"{number:020}.json"


def _number(commit: Stored) -> int:
    return int(commit.place.stem)
