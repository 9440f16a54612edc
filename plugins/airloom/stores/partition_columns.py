"""What a table of the lake calls the columns that describe its partitions, and how its rows are read under one name.

They are folder names, so that the log alone answers what is published. Tables of earlier versions have names without
the prefix and keep them: a table's partition columns never change.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from airloom.core.reserved import OF_OLDER_TABLES, OF_PARTITIONS

if TYPE_CHECKING:
    import pyarrow as pa
    from pyarrow.dataset import Dataset

#: What new tables call them, and what rows that were read call them whatever their table does.
PARTITION_COLUMNS = list(OF_PARTITIONS)
PARTITION, VERSION, INPUTS, QUALITY = PARTITION_COLUMNS


def partition_columns(names: Collection[str]) -> list[str]:
    """Return what a table calls them, in the order of `PARTITION_COLUMNS`.

    Args:
        names: All columns of the table, or its partition columns; none where there is no table yet.
    """
    return list(OF_OLDER_TABLES) if names and PARTITION not in names else list(PARTITION_COLUMNS)


def own_columns(names: Collection[str]) -> list[str]:
    """Return the columns of a table that do not describe partitions, in their order."""
    ours = partition_columns(names)
    return [name for name in names if name not in ours]


def read_rows(dataset: Dataset, columns: Collection[str] | None = None) -> pa.Table:
    """Read rows of a table.

    Args:
        dataset: Days of the table.
        columns: The columns, those that describe partitions by the names of `PARTITION_COLUMNS`; all by default.
    """
    names = dataset.schema.names
    there = dict(zip(PARTITION_COLUMNS, partition_columns(names), strict=True))
    wanted = [*own_columns(names), *PARTITION_COLUMNS] if columns is None else list(columns)
    return dataset.to_table(columns=[there.get(name, name) for name in wanted]).rename_columns(wanted)
