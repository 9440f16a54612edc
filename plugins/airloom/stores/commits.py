"""Commits to Delta tables: one partition is replaced, or a table begun, as the table was looked at."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airloom.core.places import Place
from airloom.stores.s3 import explained, table_options

if TYPE_CHECKING:
    import pyarrow as pa
    from deltalake import DeltaTable

#: Opening a table reads the log since its last checkpoint; old commits stay, so that old versions can be read again.
_CONFIGURATION: dict[str, str | None] = {
    "delta.checkpointInterval": "10",
    "delta.enableExpiredLogCleanup": "false",
}


def commit_partition(
    place: Place, delta: DeltaTable | None, rows: pa.Table, partition: Mapping[str, str], facts: Mapping[str, str]
) -> None:
    """Replace one partition in one commit.

    Args:
        place: Folder of the table.
        delta: The table as it was looked at; other days may have changed since. None where there was none.
        rows: The rows, without the columns that describe the partition.
        partition: These columns; rows with the same value of the first are replaced.
        facts: Kept with the commit.

    Raises:
        CommitFailedError: The partition has changed, or the table has been made, since it was looked at.
        DeltaError: The same, or the rows do not fit.
        SetupError: S3 refuses, or cannot be reached.
    """
    from deltalake import CommitProperties, write_deltalake

    if delta is None and isinstance(place, Path):
        place.mkdir(parents=True, exist_ok=True)
    name, day = next(iter(partition.items()))
    how: dict[str, Any] = {"mode": "overwrite", "predicate": f"{name} = '{day}'"} if delta else {"mode": "error"}
    # Told to try again, deltalake puts what was to be a table's first commit after another one, without a look at it.
    properties = CommitProperties(custom_metadata=dict(facts), max_commit_retries=None if delta else 0)
    with explained(place):
        write_deltalake(
            delta or str(place),
            _with_columns(rows, partition),
            **how,
            partition_by=list(partition),
            schema_mode="merge",
            configuration=_CONFIGURATION,
            storage_options=table_options(place),
            commit_properties=properties,
        )


def _with_columns(rows: pa.Table, values: Mapping[str, str]) -> pa.Table:
    import pyarrow as pa

    for name, value in values.items():
        rows = rows.append_column(name, pa.array([value] * rows.num_rows, pa.string()))
    return rows
