"""Days of a raw table for a query: their rows in one order, and the versions that these are of."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from airloom.core.errors import DataError
from airloom.core.pipeline import Pipeline
from airloom.stores.content import NO_ROWS
from airloom.stores.lake import Lake, PartitionVersion
from airloom.stores.lake_types import named_type
from airloom.stores.partition_columns import PARTITION, PARTITION_COLUMNS, QUALITY, VERSION, read_rows

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class RawDays:
    """Days of one raw table as they were read, and what they were at that moment.

    Args:
        rows: The rows with `PARTITION_COLUMNS`, in one order whatever the order in which they were written.
        versions: The published days that the rows are of.
    """

    rows: pa.Table
    versions: Mapping[date, PartitionVersion]


def read_raw(pipeline: Pipeline, lake: Lake, table: str, days: Collection[date]) -> RawDays:
    """Read days of a raw table in one scan.

    Args:
        pipeline: The declaration.
        lake: The tables.
        table: The raw table.
        days: The days; those that are not published are not there.

    Raises:
        DataError: There is no such table.
    """
    import pyarrow.compute as pc

    # A day without rows is known from the log alone; one that has got rows since is read with them.
    published = lake.partitions(f"raw.{table}")
    empty = {day: published[day] for day in days if day in published and published[day].version == NO_ROWS}
    dataset = lake.dataset(f"raw.{table}", days)
    if dataset is None:
        raise DataError(f"The lake has no table raw.{table}.", where=str(lake.path(f"raw.{table}")))
    rows = _typed(read_rows(dataset), pipeline.tables[table].columns or {})
    if rows.num_rows:
        order = [(PARTITION, "ascending"), *((key, "ascending") for key in pipeline.tables[table].key)]
        rows = rows.take(pc.sort_indices(rows, sort_keys=order))
    distinct = rows.select(PARTITION_COLUMNS).group_by(PARTITION_COLUMNS).aggregate([])
    versions = [
        PartitionVersion(date.fromisoformat(each[PARTITION]), each[VERSION], degraded=each[QUALITY] == "degraded")
        for each in distinct.to_pylist()
    ]
    return RawDays(rows, empty | {each.partition: each for each in versions})


def _typed(rows: pa.Table, declared: Mapping[str, str]) -> pa.Table:
    """Give columns that never had a value the types that are declared for them, which SQL may need to know."""
    import pyarrow as pa

    for place, field in enumerate(rows.schema):
        if pa.types.is_null(field.type) and field.name in declared:
            rows = rows.set_column(place, field.name, pa.nulls(rows.num_rows, named_type(declared[field.name])))
    return rows
