"""Tables of the lake as earlier versions began them: the columns that describe partitions have no prefix."""

import json
from datetime import date

import pyarrow as pa

from airloom.core.reserved import OF_OLDER_TABLES
from airloom.stores.commits import commit_partition
from airloom.stores.content import content_version
from airloom.stores.lake import Lake, PartitionVersion
from airloom.stores.lake_types import held, type_name
from airloom.stores.table_log import DAY, FACT, TYPES


def begin_older(lake: Lake, table: str, day: date, rows: pa.Table) -> PartitionVersion:
    """Publish the first day of a table; the lake goes on with it as it is."""
    rows = held(rows, table)
    version = PartitionVersion(day, content_version(rows))
    partition = dict(zip(OF_OLDER_TABLES, version.columns, strict=True))
    types = {field.name: type_name(field.type) for field in rows.schema}
    facts = {f"{FACT}{DAY}": day.isoformat(), f"{FACT}{TYPES}": json.dumps(types)}
    commit_partition(lake.path(table), None, rows, partition, facts)
    return version
