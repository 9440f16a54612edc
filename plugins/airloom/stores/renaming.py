"""Renames the columns that Airloom adds to predictions, in a table of an earlier version, by one commit."""

from __future__ import annotations

import random
import time
from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING

from airloom.core.errors import Unavailable
from airloom.core.failpoints import failpoint
from airloom.stores.commits import rewrite_table
from airloom.stores.lake import Lake
from airloom.stores.prediction_columns import has_prefix, renamed, with_prefix
from airloom.stores.table_log import published_versions, table_partition_columns, table_schema
from airloom.stores.tables import forget_table, open_days, open_table

if TYPE_CHECKING:
    import pyarrow as pa
    from deltalake import DeltaTable

_ATTEMPTS = 8


def rename_predictions(lake: Lake, table: str, users: Collection[str]) -> bool:
    """Give the columns of ours in a table of predictions the prefix.

    Each day is written anew and keeps its version and its facts, so that nothing that was built on it changes. As of an
    earlier commit the table has the names that it had. The columns that describe partitions are folders, and stay.

    Args:
        lake: The lake.
        table: Its table of predictions.
        users: Key and time of the scored rows.

    Returns:
        Whether there was anything to rename.

    Raises:
        Unavailable: Other writers kept coming first.
        SetupError: S3 refuses, or cannot be reached.
    """
    from deltalake.exceptions import CommitFailedError, TableNotFoundError

    place = lake.path(table)
    for attempt in range(_ATTEMPTS):
        try:
            delta = open_table(place)
        except TableNotFoundError:
            return False
        known = table_schema(delta).names
        if has_prefix(known):
            return False
        names = with_prefix(known, users)
        failpoint("lake.before_rename")
        try:
            rewrite_table(place, delta, _days(lake, delta, table, names), names)
        except CommitFailedError:
            forget_table(place)
            time.sleep(random.uniform(0.05, 0.2) * (attempt + 1))
            continue
        failpoint("lake.after_rename")
        return True
    raise Unavailable(f"The columns of {table} were not renamed.", where=str(place), do="try again")


def _days(
    lake: Lake, delta: DeltaTable, table: str, names: dict[str, str]
) -> Iterator[tuple[Mapping[str, str], pa.Table]]:
    """Read day by day what describes its partition and its rows, under their new names."""
    columns, own = table_partition_columns(delta), table_schema(delta).names
    for day, version in published_versions(delta).items():
        rows = open_days(delta, lake.path(table), [day]).to_table(columns=own)
        yield dict(zip(columns, version.columns, strict=True)), renamed(rows, names)
