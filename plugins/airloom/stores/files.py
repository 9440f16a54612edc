"""Files that are there as a whole or not at all, in a folder or in a bucket."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from airloom.core.failpoints import failpoint
from airloom.core.places import Place, S3Path
from airloom.stores import objects
from airloom.stores.objects import Stored


def replaced_file(place: Place) -> AbstractContextManager[Path]:
    """Give a temporary path to write to, and put it in the place of a file when the block ends well.

    Args:
        place: The file to create or replace; its folders are made.

    Returns:
        A context that yields the path. When the block fails, what was written there is removed.
    """
    return _replaced_path(place) if isinstance(place, Path) else _replaced_object(place)


@contextmanager
def _replaced_path(path: Path) -> Iterator[Path]:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = _temporary(path)
    try:
        yield temporary
        failpoint("file.before_replace")
        temporary.replace(path)
        failpoint("file.after_replace")
    finally:
        temporary.unlink(missing_ok=True)


def _temporary(path: Path) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}")


@contextmanager
def _replaced_object(place: S3Path) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="airloom-") as folder:
        temporary = Path(folder) / place.name
        yield temporary
        failpoint("file.before_replace")
        objects.upload(temporary, place)
        failpoint("file.after_replace")


def create_file(place: Place, text: str) -> None:
    """Write a file as a whole unless there is one, which then stays as it is."""
    if isinstance(place, S3Path):
        failpoint("file.before_replace")
        objects.create_object(place, text.encode())
        failpoint("file.after_replace")
    elif not place.is_file():
        with replaced_file(place) as file:
            file.write_text(text, encoding="utf-8")


def copy_new(source: Path, place: Place) -> bool:
    """Copy a file as a whole unless there is one of that name, which then stays as it is.

    Returns:
        Whether it was copied.
    """
    if isinstance(place, S3Path):
        with source.open("rb") as content:
            return objects.create_object(place, content)
    place.parent.mkdir(parents=True, exist_ok=True)
    temporary = _temporary(place)
    try:
        shutil.copyfile(source, temporary)
        os.link(temporary, place)
    except FileExistsError:
        return False
    finally:
        temporary.unlink(missing_ok=True)
    return True


def read_bytes(place: Place) -> bytes:
    """Read a whole file.

    Raises:
        FileNotFoundError: There is none.
    """
    return place.read_bytes() if isinstance(place, Path) else objects.read_object(place)


def files_below(place: Place) -> Iterator[Stored]:
    """Yield every file below a folder; where there is no folder there is none."""
    if isinstance(place, S3Path):
        yield from objects.objects_below(place)
        return
    for path in place.rglob("*"):
        with suppress(FileNotFoundError):
            if path.is_file():
                yield stored_file(path)


def stored_file(path: Path) -> Stored:
    """Describe a file.

    Raises:
        FileNotFoundError: There is none.
    """
    status = path.stat()
    return Stored(path, status.st_size, datetime.fromtimestamp(status.st_mtime, UTC))


def absent_files(folder: Place, names: list[str]) -> list[str]:
    """Return those of some files below a folder that are not there."""
    if isinstance(folder, Path):
        return [name for name in names if not (folder / name).is_file()]
    absent = objects.absent_objects(folder, {folder / name for name in names})
    return [name for name in names if folder / name in absent]


def folders(place: Place) -> list[str]:
    """Return the names of a folder's folders, in alphabetical order; where there is no folder there is none."""
    if isinstance(place, S3Path):
        return objects.prefixes_below(place)
    return sorted(path.name for path in place.iterdir() if path.is_dir()) if place.is_dir() else []


def remove_file(place: Place) -> None:
    """Remove a file; nothing happens when there is none."""
    if isinstance(place, Path):
        place.unlink(missing_ok=True)
    else:
        objects.remove_object(place)


def remove_folder(place: Place) -> None:
    """Remove a folder with all that is in it; nothing happens when there is none."""
    if isinstance(place, Path):
        if place.is_dir():
            shutil.rmtree(place)
        return
    for each in list(objects.objects_below(place)):
        remove_file(each.place)
