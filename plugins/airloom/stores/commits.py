"""Commits to Delta tables: one partition is replaced, or a table begun, as the table was looked at.

A partition without rows is a file without rows. deltalake writes no such file and finds none to replace, so these
commits name their files themselves.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from airloom.core.errors import DataError
from airloom.core.places import Place
from airloom.stores.files import replaced_file
from airloom.stores.s3 import explained, table_options

if TYPE_CHECKING:
    import pyarrow as pa
    from deltalake import DeltaTable
    from deltalake.transaction import AddAction, RemoveAction

#: Opening a table reads the log since its last checkpoint; old commits stay, so that old versions can be read again.
_CONFIGURATION: dict[str, str | None] = {
    "delta.checkpointInterval": "10",
    "delta.enableExpiredLogCleanup": "false",
}
#: How the file of a partition without rows is recognized.
_EMPTY = "-empty.parquet"


def commit_partition(
    place: Place,
    delta: DeltaTable | None,
    rows: pa.Table,
    partition: Mapping[str, str],
    facts: Mapping[str, str],
    alters: bool = False,
) -> None:
    """Replace one partition in one commit.

    Files of other days stay as they are when columns alter, and are read in the new types: docs/adr/0015.

    Args:
        place: Folder of the table.
        delta: The table as it was looked at; other days may have changed since. None where there was none.
        rows: The rows with all the table's columns, in its types from now on, without those that describe the
            partition; perhaps none.
        partition: These columns; rows with the same value of the first are replaced.
        facts: Kept with the commit.
        alters: Whether the rows have other columns or types than the table; any other commit is a conflict then.

    Raises:
        CommitFailedError: The partition has changed, or the table has been made, since it was looked at.
        DeltaError: The same.
        DataError: The table could not be opened with these rows.
        SetupError: S3 refuses, or cannot be reached.
    """
    from deltalake import CommitProperties, write_deltalake

    if delta is None and isinstance(place, Path):
        place.mkdir(parents=True, exist_ok=True)
    name, day = next(iter(partition.items()))
    if rows.num_rows == 0 or (delta is not None and _is_empty(delta, name, day)):
        _commit_file(place, delta, rows, partition, facts)
        return
    how: dict[str, Any] = {"mode": "overwrite", "predicate": f"{name} = '{day}'"} if delta else {"mode": "error"}
    # Told to try again, deltalake puts what was to be a table's first commit after another one, without a look at it.
    # Another day's rows of the type before could be beyond the new one: these commits are not tried again either.
    properties = CommitProperties(custom_metadata=dict(facts), max_commit_retries=None if delta and not alters else 0)
    with explained(place):
        write_deltalake(
            delta or str(place),
            _with_columns(rows, partition),
            **how,
            partition_by=list(partition),
            schema_mode="overwrite" if alters else "merge",
            configuration=_CONFIGURATION,
            storage_options=table_options(place),
            commit_properties=properties,
        )


def remove_partition(place: Place, delta: DeltaTable, name: str, day: str, facts: Mapping[str, str]) -> None:
    """Remove one partition in one commit; its files stay until a vacuum removes them.

    Args:
        place: Folder of the table.
        delta: The table as it was looked at; any other commit since is a conflict.
        name: The column that names the partition.
        day: Its value.
        facts: Kept with the commit.

    Raises:
        CommitFailedError: The table has changed since it was looked at.
        SetupError: S3 refuses, or cannot be reached.
    """
    import pyarrow as pa
    from deltalake import CommitProperties, Schema

    schema = Schema.from_arrow(pa.schema(delta.schema().to_arrow()))
    columns, properties = delta.metadata().partition_columns, CommitProperties(dict(facts), max_commit_retries=0)
    with explained(place):
        delta.create_write_transaction(
            [], "overwrite", schema, columns, [(name, "=", day)], commit_properties=properties
        )


def rewrite_table(
    place: Place,
    delta: DeltaTable,
    partitions: Iterable[tuple[Mapping[str, str], pa.Table]],
    names: Mapping[str, str],
) -> None:
    """Replace every partition in one commit, after which columns are called otherwise.

    Args:
        place: Folder of the table.
        delta: The table as it was looked at; any other commit since is a conflict.
        partitions: The columns that describe each partition, and its rows, whose columns have their new names.
        names: The columns that are renamed, and what they are called from now on.

    Raises:
        CommitFailedError: The table has changed since it was looked at.
        SetupError: S3 refuses, or cannot be reached.
    """
    import pyarrow as pa
    from deltalake import CommitProperties, Schema

    known = pa.schema(delta.schema().to_arrow())
    schema = Schema.from_arrow(pa.schema([field.with_name(names.get(field.name, field.name)) for field in known]))
    columns, properties = delta.metadata().partition_columns, CommitProperties(max_commit_retries=0)
    with explained(place):
        files: list[AddAction | RemoveAction] = [_written(place, rows, partition) for partition, rows in partitions]
        delta.create_write_transaction(files, "overwrite", schema, columns, commit_properties=properties)


def _with_columns(rows: pa.Table, values: Mapping[str, str]) -> pa.Table:
    import pyarrow as pa

    for name, value in values.items():
        rows = rows.append_column(name, pa.array([value] * rows.num_rows, pa.string()))
    return rows


def _is_empty(delta: DeltaTable, name: str, day: str) -> bool:
    return any(file.endswith(_EMPTY) for file in delta.file_uris(file_pruning_predicate=[(name, "=", day)]))


def _commit_file(
    place: Place, delta: DeltaTable | None, rows: pa.Table, partition: Mapping[str, str], facts: Mapping[str, str]
) -> None:
    """Replace one partition by one file; any other commit since the table was looked at is a conflict."""
    import pyarrow as pa
    from deltalake import CommitProperties, Schema
    from deltalake.transaction import create_table_with_add_actions

    name, day = next(iter(partition.items()))
    properties = CommitProperties(custom_metadata=dict(facts), max_commit_retries=0)
    with explained(place):
        if delta is None:
            create_table_with_add_actions(
                str(place),
                Schema.from_arrow(pa.schema([(each, pa.string()) for each in partition])),
                [_written(place, rows, partition)],
                partition_by=list(partition),
                configuration=_CONFIGURATION,
                storage_options=table_options(place),
                commit_properties=properties,
            )
        else:
            schema = _with_columns(rows, partition).schema if rows.num_rows else pa.schema(delta.schema().to_arrow())
            _require_readable(delta, schema)
            delta.create_write_transaction(
                [_written(place, rows, partition)],
                "overwrite",
                Schema.from_arrow(schema),
                list(partition),
                [(name, "=", day)],
                commit_properties=properties,
            )


def _written(place: Place, rows: pa.Table, partition: Mapping[str, str]) -> AddAction:
    """Write a new file and return the action that adds it.

    It has no statistics: by the number of its rows, deltalake would see no conflict with a file that has none.
    """
    import pyarrow as pa
    from deltalake.transaction import AddAction
    from pyarrow import parquet

    name, day = next(iter(partition.items()))
    path = f"{name}={day}/part-{uuid4()}{'.parquet' if rows.num_rows else _EMPTY}"
    content = pa.BufferOutputStream()
    # A parquet file has a column.
    parquet.write_table(rows if rows.num_rows else _with_columns(pa.table({}), partition), content)
    with replaced_file(place / path) as file:
        size = file.write_bytes(content.getvalue())
    values = {column: value or None for column, value in partition.items()}
    return AddAction(path, size, values, int(time.time() * 1000), data_change=True, stats="{}")


def _require_readable(delta: DeltaTable, schema: pa.Schema) -> None:
    """Refuse a first timestamp without a time zone: only deltalake can add the feature that such a table needs.

    Raises:
        DataError: There is one.
    """
    import pyarrow as pa

    known = pa.schema(delta.schema().to_arrow())
    for field in schema:
        naive = pa.types.is_timestamp(field.type) and field.type.tz is None
        if naive and (field.name not in known.names or known.field(field.name).type != field.type):
            raise DataError(
                "A column's first value, on a day that had no rows, is a timestamp without a time zone.",
                where=f"column {field.name}",
                found=str(field.type),
                expected="a timestamp with a time zone",
                do="give it one in the SQL, AT TIME ZONE 'UTC'",
            )
