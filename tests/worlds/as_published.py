"""Published days of the lakes below a folder, read again in their own types: the content that their versions name."""

import os
from pathlib import Path
from zlib import crc32

from airloom.steps.score import TABLE, predictions_version
from airloom.stores.content import content_version
from airloom.stores.lake import Lake
from airloom.stores.prediction_columns import has_prefix, renamed, with_prefix
from airloom.stores.tables import LOG

#: Folders in which there is no lake, and many files.
_OTHERS = ("mlflow", "logs", "state", "__pycache__")
#: The newest commits of tables that were read: a lake is copied with them as they are.
_read: set[tuple[str, int, int]] = set()


def differing(folder: Path, every: bool) -> list[str]:
    """Return the days whose content is not what their version says, in tables that have changed since they were read.

    Args:
        folder: Where to look.
        every: Whether to read every day of every table; otherwise the oldest day of one, after which most commits came.
    """
    tables = sorted(_tables(folder))
    if every or not tables:
        return [what for table in tables for what in _differing(table, None)]
    return list(_differing(tables[crc32(folder.name.encode()) % len(tables)], 1))


def _tables(folder):
    for path, folders, _ in os.walk(folder):
        if LOG in folders:
            newest = max((each for each in os.scandir(f"{path}/{LOG}") if each.name.endswith(".json")), key=_name)
            commit = (newest.name, newest.stat().st_size, newest.stat().st_mtime_ns)
            if commit not in _read:
                _read.add(commit)
                yield Path(path)
        folders[:] = [name for name in folders if name not in _OTHERS and "=" not in name and name != LOG]


def _name(entry):
    return entry.name


def _differing(path, most):
    lake, table = Lake(path.parent), path.name
    for day, published in list(lake.partitions(table).items())[:most]:
        rows = lake.as_published(table, day)
        versions = [content_version(rows)]
        if table == TABLE:
            names = rows.column_names
            ours = {} if has_prefix(names) else with_prefix(names, ())
            versions.append(predictions_version(renamed(rows, ours)))
        if published.version not in versions:
            yield f"{path} {day}: version {published.version}"
