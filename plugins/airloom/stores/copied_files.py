"""Files of a folder into another place: each at once or not at all, and a table's commits after what they name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import chain
from pathlib import Path

from airloom.core.errors import DataError
from airloom.core.places import Place
from airloom.stores.files import copy_new, files_below, read_bytes
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
        DataError: The target has a file of the same name that is another one, or somebody writes one meanwhile.
        SetupError: S3 refuses, or cannot be reached.
    """
    files, there = _sizes(source), _sizes(target)
    for name in files.keys() & there.keys():
        # Others than commits are named after their content.
        if not _is_same(source / name, target / name, files[name] == there[name], read=f"{LOG}/" in name):
            raise _taken("There is already something else of the same name; nothing was copied.", source, target, name)
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
    if not copy_new(source / name, target / name) and not _is_same(source / name, target / name):
        raise _taken("Something else of the same name was written while files were copied.", source, target, name)


def _sizes(place: Place) -> dict[str, int]:
    """Return the bytes of every file by its name below a place, without what a killed process has begun to write."""
    files = (each for each in files_below(place) if not each.place.name.startswith("."))
    return {str(each.place).removeprefix(f"{place}/"): each.size for each in files}


def _commits_first(name: str) -> tuple[str, bool, str]:
    """Order commits of a table by number, and what sums them up after them."""
    folder, _, file = name.rpartition("/")
    return folder, not file.endswith(".json"), file


def _is_same(source: Path, target: Place, same_size: bool = True, read: bool = True) -> bool:
    """Tell whether the target's file is the source's, or one that is written again and again."""
    same = same_size and (not read or source.read_bytes() == read_bytes(target))
    return same or source.name == _LAST_CHECKPOINT


def _taken(what: str, source: Path, target: Place, name: str) -> DataError:
    return DataError(
        what,
        where=str(target / name),
        found=f"another file than {source / name}",
        expected="a place in which these pipelines have not run yet",
        do="import before the first run there, into an empty folder or prefix",
    )
