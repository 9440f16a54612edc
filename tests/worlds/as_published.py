"""Every published day of the lakes below a folder, read again in its own types: the content that its version names."""

import os
from pathlib import Path

from airloom.steps.score import VOLATILE
from airloom.stores.content import content_version
from airloom.stores.lake import Lake
from airloom.stores.tables import LOG

#: The days of one folder that are read, the newest first.
MOST = 60
#: Folders in which there is no lake, and many files.
_OTHERS = ("mlflow", "logs", "postgres", "node_modules", "__pycache__")
#: What was read before: the file of a day has a name of its own, and keeps it in a copied lake.
_read: set[str] = set()


def differing(folder: Path) -> list[str]:
    """Return the days whose content is not what their version says, of those that were not read before."""
    return [what for table in _tables(folder) for what in _differing(table)]


def _tables(folder):
    for path, folders, _ in os.walk(folder):
        if LOG in folders:
            yield Path(path)
            folders.clear()
        folders[:] = [name for name in folders if name not in _OTHERS]


def _differing(path):
    lake, table = Lake(path.parent), path.name
    published, types = lake.partitions(table), lake.own_types(table)
    for day in sorted(set(published) & set(types), reverse=True)[:MOST]:
        version = published[day].version
        files = {Path(file).name for file in lake.dataset(table, [day]).files}
        if files and files <= _read:
            continue
        _read.update(files)
        rows = lake.as_published(table, day)
        if version not in (content_version(rows), content_version(rows, VOLATILE)):
            yield f"{path} {day}: version {version}"
