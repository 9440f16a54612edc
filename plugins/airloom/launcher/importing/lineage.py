"""The events of lineage of another installation, so that a question about an old prediction still has its answer."""

from __future__ import annotations

import filecmp
import json
from collections.abc import Iterator
from contextlib import suppress
from itertools import groupby
from pathlib import Path

from airloom.core.errors import DataError
from airloom.core.places import S3Path
from airloom.core.settings import Settings
from airloom.core.wording import counted
from airloom.launcher.brought import Brought
from airloom.stores.files import copy_new
from airloom.stores.kept_events import keep_day, kept_lines

_PART = "lineage"


def import_lineage(source: Settings, settings: Settings) -> Brought:
    """Copy every event that the other installation has kept.

    Raises:
        DataError: Other events are kept here already, in a file.
        SetupError: S3 refuses, or cannot be reached.
    """
    file, target = source.lineage, settings.lineage
    if not isinstance(file, Path) or file == target or not file.is_file():
        return Brought(_PART, changed=False, outcome="as it was")
    if isinstance(target, S3Path):
        return _into_bucket(file, target)
    if copy_new(file, target):
        return Brought(_PART, changed=True, outcome="events copied")
    if filecmp.cmp(file, target, shallow=False):
        return Brought(_PART, changed=False, outcome="was copied before")
    raise DataError(
        "Events of lineage are kept here already.",
        where=str(target),
        expected="an installation that has not run yet",
        do=f"if they are of no use, move the file away; the others are in {file}",
    )


def _into_bucket(file: Path, target: S3Path) -> Brought:
    """Write one object a day."""
    events = 0
    for day, dated in groupby(_dated(file), lambda each: each[0][:10]):
        moments, lines = zip(*dated, strict=True)
        keep_day(target / day, moments[0][11:26].replace(":", "").ljust(13, "0"), lines)
        events += len(lines)
    return Brought(_PART, changed=events > 0, outcome=f"{counted(events, 'event')} copied")


def _dated(file: Path) -> Iterator[tuple[str, str]]:
    """Yield each line with its moment; one that is no event, torn when power went, has that of the one before."""
    moment = "1970-01-01T00:00:00.000000"
    for line in kept_lines(file):
        with suppress(ValueError, KeyError, TypeError):
            moment = str(json.loads(line)["eventTime"])
        yield moment, line.rstrip("\n")
