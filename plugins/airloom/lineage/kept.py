"""The events as they are kept: the lines of one file, or objects below a prefix of a bucket."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from airloom.core.places import Place
from airloom.stores.files import files_below, read_bytes

#: An object takes as long to arrive as hundreds of lines: many are fetched side by side.
_READERS = 16


def kept_lines(place: Place) -> Iterator[str]:
    """Yield every event, as the line of JSON that it is, in the order of time.

    Args:
        place: A file, or a prefix of a bucket; where there is nothing there is no event.
    """
    if isinstance(place, Path):
        if place.is_file():
            with place.open(encoding="utf-8", errors="replace") as lines:
                yield from lines
        return
    found = [each.place for each in files_below(place)]
    with ThreadPoolExecutor(_READERS) as readers:
        for content in readers.map(read_bytes, found):
            yield from content.decode(errors="replace").splitlines()


def count_kept(place: Place) -> int:
    """Return how many events are kept in a place."""
    if isinstance(place, Path):
        return sum(1 for _ in kept_lines(place))
    return sum(1 for _ in files_below(place))
