"""Events of lineage as they are kept: the lines of one file, or objects below a prefix of a bucket, by day.

An object cannot be appended to, and workers on several machines have no file that they could all append to: there each
event is an object of its own, named after the moment, until the events of a day that is over are put together.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import groupby

from airloom.core.failpoints import failpoint
from airloom.core.places import Place, S3Path
from airloom.core.vacuumed import Freed
from airloom.stores.files import create_file, files_below, folders, read_bytes, remove_file

#: An object takes as long to arrive as hundreds of lines: many are fetched, or removed, side by side.
_SIDE_BY_SIDE = 16
#: An event of a day that ended less long ago may be on its way, from a machine whose clock is slow.
_UNDER_WAY = timedelta(days=1)


def keep_event(place: Place, line: str) -> None:
    """Keep an event as an object, or a file, of its own.

    Args:
        place: The prefix, or the folder.
        line: The event as JSON.

    Raises:
        SetupError: The bucket refuses, or cannot be reached.
    """
    now = datetime.now(UTC)
    name = f"{now:%H%M%S.%f}-{uuid.uuid4().hex[:8]}.json"
    create_file(place / f"{now:%Y-%m-%d}" / name, f"{line}\n")


def keep_day(place: S3Path, clock: str, lines: Iterable[str]) -> S3Path:
    """Keep events of one day in one object, which the same events have again.

    Args:
        place: The prefix of the day.
        clock: When the first of them happened, as in the names of single ones.
        lines: The events as JSON.

    Returns:
        The object.

    Raises:
        SetupError: The bucket refuses, or cannot be reached.
    """
    content = "".join(f"{line}\n" for line in lines)
    target = place / f"{clock}-{hashlib.sha256(content.encode()).hexdigest()[:8]}.json"
    create_file(target, content)
    return target


def kept_lines(place: Place) -> Iterator[str]:
    """Yield every event once, as the line of JSON that it is, in the order of time.

    Args:
        place: A file, or a prefix of a bucket; where there is nothing there is no event.
    """
    if isinstance(place, S3Path):
        yield from _objects_lines(place)
    elif place.is_file():
        with place.open(encoding="utf-8", errors="replace") as lines:
            yield from lines


def count_kept(place: Place) -> int:
    """Return how many events are kept in a place."""
    return sum(1 for _ in kept_lines(place))


def pack_events(place: S3Path, dry_run: bool) -> Freed:
    """Put the events of every day that is over into one object, which takes one request to read and not thousands.

    What is interrupted is done by the next one; whoever reads meanwhile finds every event once.

    Args:
        place: The prefix.
        dry_run: Only count.

    Returns:
        How many objects are gone; their bytes are still there.

    Raises:
        SetupError: The bucket refuses, or cannot be reached.
    """
    newest = f"{datetime.now(UTC) - _UNDER_WAY:%Y-%m-%d}"
    packed = [_pack(place / day, dry_run) for day in folders(place) if day < newest]
    return Freed(name="lineage, one object a day", files=sum(packed), size=0)


def _pack(day: S3Path, dry_run: bool) -> int:
    """Put the events of a day together; return how many objects fewer there are."""
    found = [each.place for each in files_below(day)]
    if len(found) < 2:
        return 0
    if not dry_run:
        target = keep_day(day, found[0].name.partition("-")[0], _objects_lines(day))
        failpoint("lineage.after_packing")
        with ThreadPoolExecutor(_SIDE_BY_SIDE) as pool:
            list(pool.map(remove_file, (each for each in found if each != target)))
    return len(found) - 1


def _objects_lines(place: S3Path) -> Iterator[str]:
    """Yield the events below a prefix; those of a day that is put together meanwhile are read anew."""
    found = [each.place for each in files_below(place)]
    with ThreadPoolExecutor(_SIDE_BY_SIDE) as pool:
        for day, objects in groupby(zip(found, pool.map(_content, found), strict=True), lambda each: each[0].parent):
            contents = [content for _, content in objects]
            there = [content for content in contents if content is not None]
            yield from _lines(there) if there == contents else _objects_lines(day)


def _content(place: S3Path) -> str | None:
    """Return the text of an object, None where it has gone since it was listed."""
    try:
        return read_bytes(place).decode(errors="replace")
    except FileNotFoundError:
        return None


def _lines(contents: Iterable[str]) -> Iterator[str]:
    """Yield each line once: where packing was interrupted, events are there both alone and together."""
    return iter(dict.fromkeys(line for content in contents for line in content.split("\n") if line))
