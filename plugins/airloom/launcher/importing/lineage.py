"""The events of lineage of another installation, so that a question about an old prediction still has its answer."""

from __future__ import annotations

import filecmp
import hashlib
import json
import shutil
from collections.abc import Iterator
from contextlib import suppress
from itertools import groupby
from pathlib import Path

from airloom.core.errors import DataError
from airloom.core.places import S3Path
from airloom.core.settings import Settings
from airloom.core.wording import counted
from airloom.launcher.brought import Brought
from airloom.lineage.kept import kept_lines
from airloom.stores.files import create_file, replaced_file

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
    if target.is_file():
        if filecmp.cmp(file, target, shallow=False):
            return Brought(_PART, changed=False, outcome="was copied before")
        raise DataError(
            "Events of lineage are kept here already.",
            where=str(target),
            expected="an installation that has not run yet",
            do=f"if they are of no use, move the file away; the others are in {file}",
        )
    with replaced_file(target) as new:
        shutil.copyfile(file, new)
    return Brought(_PART, changed=True, outcome="events copied")


def _into_bucket(file: Path, target: S3Path) -> Brought:
    """Write one object a day, named like the events that come one by one, and after its content."""
    events = 0
    for day, lines in groupby(_dated(file), lambda dated: dated[0][:10]):
        moments, texts = zip(*lines, strict=True)
        content = "".join(texts)
        clock = moments[0][11:26].replace(":", "").ljust(13, "0")
        digest = hashlib.sha256(content.encode()).hexdigest()[:8]
        create_file(target / day / f"{clock}-{digest}.json", content)
        events += len(texts)
    return Brought(_PART, changed=events > 0, outcome=f"{counted(events, 'event')} copied")


def _dated(file: Path) -> Iterator[tuple[str, str]]:
    """Yield each line with its moment; one that is no event, as when a machine lost power, has that of the one before.

    A line without an end is given one.
    """
    moment = "1970-01-01T00:00:00.000000"
    for line in kept_lines(file):
        with suppress(ValueError, KeyError, TypeError):
            moment = str(json.loads(line)["eventTime"])
        yield moment, line if line.endswith("\n") else f"{line}\n"
