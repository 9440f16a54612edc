"""Files of a folder into another place: each at once or not at all, and a table's commits after what they name."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import chain
from pathlib import Path

from airloom.core.errors import DataError
from airloom.core.places import Place
from airloom.stores.files import files_below, read_bytes, replaced_file
from airloom.stores.tables import LOG

#: An object takes as long to send as many to read: several are sent side by side.
_WRITERS = 16
#: The one file among a table's commits that is written again and again.
_LAST_CHECKPOINT = "_last_checkpoint"


def copy_files(source: Path, target: Place, report: Callable[[int, int], None]) -> int:
    """Copy every file that is not there yet.

    Interrupted, it leaves tables that can be read as they were at an earlier commit; done again, it goes on.

    Args:
        source: The folder; nobody writes to it.
        target: Where the files are to be, under the same names.
        report: Is told how many files are there, of how many.

    Returns:
        How many files were copied.

    Raises:
        DataError: The target has a file of the same name that is another one; nothing was copied.
        SetupError: S3 refuses, or cannot be reached.
    """
    files, there = _sizes(source), _sizes(target)
    for name in files.keys() & there.keys():
        _require_same(source / name, target / name, files[name] == there[name])
    missing = sorted(files.keys() - there.keys())
    contents = [name for name in missing if LOG not in name]
    commits = sorted((name for name in missing if LOG in name), key=_commits_first)
    copied = chain(_side_by_side(contents, source, target), map(partial(_copy, source, target), commits))
    for number, _ in enumerate(copied, 1 + len(files) - len(missing)):
        report(number, len(files))
    return len(missing)


def _side_by_side(names: list[str], source: Path, target: Place) -> Iterator[None]:
    with ThreadPoolExecutor(_WRITERS) as writers:
        yield from writers.map(partial(_copy, source, target), names)


def _copy(source: Path, target: Place, name: str) -> None:
    with replaced_file(target / name) as file:
        shutil.copyfile(source / name, file)


def _sizes(place: Place) -> dict[str, int]:
    """Return the bytes of every file by its name below a place, without what a killed process has begun to write."""
    files = (each for each in files_below(place) if not each.place.name.startswith("."))
    return {str(each.place).removeprefix(f"{place}/"): each.size for each in files}


def _commits_first(name: str) -> tuple[str, bool, str]:
    """Order commits of a table by number, and what sums them up after them."""
    folder, _, file = name.rpartition("/")
    return folder, not file.endswith(".json"), file


def _require_same(source: Path, target: Place, same_size: bool) -> None:
    """Make sure that the target's file is the source's: a commit by its content, others are named after theirs."""
    if source.name == _LAST_CHECKPOINT:
        return
    if same_size and (source.parent.name != LOG or source.read_bytes() == read_bytes(target)):
        return
    raise DataError(
        "There is already something else of the same name; nothing was copied.",
        where=str(target),
        found=f"another file than {source}",
        expected="a place in which these pipelines have not run yet",
        do="import before the first run there, into an empty folder or prefix",
    )
