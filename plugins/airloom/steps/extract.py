"""Extract: stage a partition of every table from the pipeline's source."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING, Any

from airloom.core.documents import did_you_mean
from airloom.core.errors import DataError, UsageError
from airloom.core.fingerprint import fingerprint
from airloom.core.partitions import require_ended
from airloom.core.pipeline import Pipeline, Schedule, Table
from airloom.core.records import Dataset, Staged
from airloom.core.reserved import PREFIX, is_reserved
from airloom.core.settings import Settings
from airloom.core.wording import counted, lasting
from airloom.steps.references import load_function
from airloom.steps.returned import columns_of
from airloom.steps.times import far_times, floored, time_within
from airloom.stores.content import content_version, require_flat
from airloom.stores.exact import has_no_value
from airloom.stores.lake_types import declared, held
from airloom.stores.quarantine import Quarantine
from airloom.stores.staging import Staging

if TYPE_CHECKING:
    import pyarrow as pa

_log = logging.getLogger(__name__)


def extract(pipeline: Pipeline, partition: date, settings: Settings) -> Staged:
    """Stage a partition of every declared table.

    Args:
        pipeline: The declaration.
        partition: The day.
        settings: Where staging is.

    Returns:
        What was staged: the same content has the same digest.

    Raises:
        UsageError: The partition lies outside the pipeline's schedule.
        DeclarationError: The source cannot be loaded.
        DataError: The source returned something else than the declared tables.
    """
    _require_scheduled(pipeline.schedule, partition)
    require_ended(partition, pipeline.schedule.timezone)
    source = load_function(pipeline.source, settings.project, ("partition",))
    try:
        read = _tables(pipeline, partition, source(partition))
    except DataError as error:
        _block(pipeline, partition, settings, error)
        raise
    tables = {name: rows for name, (rows, _) in read.items()}
    staging = Staging(settings.staging / pipeline.name)
    for name, rows in tables.items():
        staging.write(partition, name, rows)
    outputs = tuple(staged_dataset(name, partition, rows) for name, rows in tables.items())
    return Staged(
        pipeline=pipeline.name,
        partition=partition,
        headline=_headline(pipeline, tables),
        inputs=(Dataset(name="source", partition=partition),),
        outputs=outputs,
        tables={name: rows.num_rows for name, rows in tables.items()},
        digest=fingerprint({each.name: each.version for each in outputs}),
        floored=_floored(pipeline, {name: lost for name, (_, lost) in read.items()}),
        far=_far(pipeline, tables, partition),
    )


def staged_dataset(table: str, partition: date, rows: pa.Table) -> Dataset:
    """Describe the staged content of one table."""
    return Dataset(
        name=f"staging.{table}",
        partition=partition,
        version=content_version(rows),
        rows=rows.num_rows,
        columns={field.name: str(field.type) for field in rows.schema},
    )


def _floored(pipeline: Pipeline, lost: Mapping[str, int]) -> dict[str, int]:
    """Log and return how many times of each table were brought down to whole microseconds."""
    counts = {name: times for name, times in lost.items() if times}
    for name, times in counts.items():
        _log.warning("%s: %s of %s brought down to whole microseconds.", pipeline.name, counted(times, "time"), name)
    return counts


def _far(pipeline: Pipeline, tables: Mapping[str, pa.Table], partition: date) -> dict[str, int]:
    """Log and return how many rows of each table happened further from the day than the table says."""
    counts = {name: far for name, rows in tables.items() if (far := far_times(pipeline, name, rows, partition))}
    for name, far in counts.items():
        _log.warning(
            "%s: %s of %d of %s happened more than %s before or after %s, by their %s; tables.%s.time_within says so.",
            *(pipeline.name, counted(far, "row"), tables[name].num_rows, name),
            *(lasting(time_within(pipeline, name)), partition, pipeline.tables[name].time, name),
        )
    return counts


def _tables(pipeline: Pipeline, partition: date, returned: Any) -> dict[str, tuple[pa.Table, int]]:
    """Return the rows of every table, and how many of their times were not whole microseconds."""
    _require_declared_tables(pipeline, returned)
    return {name: _staged(pipeline, name, returned[name], partition) for name in pipeline.tables}


def _block(pipeline: Pipeline, partition: date, settings: Settings, error: DataError) -> None:
    """Stop the day for the stages that wait for it: there is nothing to audit, and waiting would not help."""
    import pyarrow as pa

    Quarantine(settings.quarantine / pipeline.name).block(
        pipeline.subject, partition, pa.table({}), [error.what], validation=""
    )


def _headline(pipeline: Pipeline, tables: Mapping[str, pa.Table]) -> str:
    subject = pipeline.subject
    total = sum(rows.num_rows for rows in tables.values())
    return f"{tables[subject].num_rows:,} {subject} staged: {total:,} rows in {len(tables)} tables"


def _require_scheduled(schedule: Schedule, partition: date) -> None:
    if partition < schedule.start or (schedule.end is not None and partition > schedule.end):
        raise UsageError(
            "The pipeline has no such partition.",
            found=partition.isoformat(),
            expected=f"a day from {schedule.start} to {schedule.end or 'yesterday'}",
            do="name a day in this range, or change the schedule in pipeline.yaml",
        )


def _require_declared_tables(pipeline: Pipeline, returned: Any) -> None:
    if not isinstance(returned, Mapping):
        raise DataError(
            "The source returned no tables.",
            where=pipeline.source,
            found=type(returned).__name__,
            expected=f"a dictionary with {', '.join(pipeline.tables)}",
        )
    for name in returned:
        if name not in pipeline.tables:
            raise DataError(
                f"The source returned a table {name!r} that is not declared.{did_you_mean(name, pipeline.tables)}",
                where=pipeline.source,
                expected=", ".join(pipeline.tables),
            )
    missing = [name for name in pipeline.tables if name not in returned]
    if missing:
        raise DataError(
            f"The source did not return the table {', '.join(missing)}.",
            where=pipeline.source,
            found=", ".join(map(str, returned)) or "no table at all",
            expected=", ".join(pipeline.tables),
        )


def _staged(pipeline: Pipeline, name: str, returned: Any, partition: date) -> tuple[pa.Table, int]:
    """Bring what the source returned into the form in which everything downstream reads it."""
    import pyarrow as pa

    table = pipeline.tables[name]
    given = columns_of(name, returned, pipeline.source)
    if not given or len(given[0][1]) == 0:
        _require_allowed(pipeline, name, partition)
        # Its columns have no types: they would fix nothing but mistakes.
        return pa.table({}), 0
    _require_columns(name, table, [column for column, _ in given])
    rows, lost = floored(pa.table({column: _require_zone(name, column, array) for column, array in given}))
    require_flat(rows.schema, name)
    rows = declared(held(rows, name), table.columns or {}, name)
    for column in dict.fromkeys((table.time, table.known_at)):
        _require_timestamp(name, rows.schema.field(column))
    return _ordered(rows, table), lost


def _require_allowed(pipeline: Pipeline, name: str, partition: date) -> None:
    if not pipeline.allows_empty(name):
        raise DataError(
            f"The source has no rows for {name} of {partition}.",
            found="0 rows",
            expected="at least one",
            do=f"correct the source; where a day may have no rows, declare `tables.{name}.empty: allow`",
        )


def _require_columns(name: str, table: Table, found: list[str]) -> None:
    by_case = Counter(column.casefold() for column in found)
    if twice := [column for column in found if by_case[column.casefold()] > 1]:
        raise DataError(
            f"The table {name} has columns with the same name, or names that differ in capitals only.",
            where=f"table {name}",
            found=", ".join(twice),
            expected="names that SQL can tell apart",
            do="rename or drop some of them in the source",
        )
    for column in (*table.key, table.time, table.known_at):
        if column not in found:
            raise DataError(
                f"The table {name} has no column {column!r}.{did_you_mean(column, found)}",
                where=f"table {name}",
                found=", ".join(found),
                expected=f"{column}, declared as key, time or known_at",
            )
    if reserved := [column for column in found if is_reserved(column)]:
        raise DataError(
            f"The table {name} has columns whose names are Airloom's own.",
            where=f"table {name}",
            found=", ".join(reserved),
            expected=f"names that do not begin with {PREFIX}",
            do="rename them in the source",
        )


def _require_zone(table: str, column: str, array: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return a column whose times have a time zone; one without any value has no type."""
    import pyarrow as pa

    if not pa.types.is_timestamp(array.type) or array.type.tz is not None:
        return array
    if has_no_value(array):
        return pa.chunked_array([pa.nulls(len(array))])
    raise DataError(
        "A timestamp has no time zone.",
        where=f"table {table}, column {column}",
        found=str(array.type),
        expected="a timestamp with a time zone",
        do="make it UTC in the source: nobody after it can know which zone was meant",
    )


def _require_timestamp(table: str, field: pa.Field) -> None:
    import pyarrow as pa

    if not pa.types.is_timestamp(field.type):
        raise DataError(
            f"The column {field.name} says when something happened or was known, and is no timestamp.",
            where=f"table {table}, column {field.name}",
            found=str(field.type),
            expected="a timestamp with a time zone",
        )


def _ordered(rows: pa.Table, table: Table) -> pa.Table:
    """Order rows by their whole content, so that a position names the same row whenever the same is staged."""
    others = [name for name in rows.column_names if name not in table.key]
    return rows.sort_by([(name, "ascending") for name in (*table.key, *others)])
