"""What the times of a table's rows are: known, in whole microseconds, and near their day."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING

from airloom.core.audit import Finding
from airloom.core.expectations import Expectation
from airloom.core.partitions import as_of
from airloom.core.pipeline import Pipeline, Table

if TYPE_CHECKING:
    import pyarrow as pa

#: How far from its day a row may have happened, unless its table says otherwise.
DAY_LONG = timedelta(days=1)


def unknown_times(rows: pa.Table, table: Table, findings: Sequence[Finding]) -> list[Finding]:
    """Find the rows that say nothing of when they happened or were known: they are held back like what fails an audit.

    Args:
        rows: The staged rows.
        table: The declaration of the table.
        findings: What was found already; rows that these hold back are not found again.
    """
    import pyarrow.compute as pc

    held_back = {row for finding in findings if finding.critical for row in finding.rows}
    found = []
    for column in dict.fromkeys((table.time, table.known_at)):
        empty = tuple(pc.indices_nonzero(rows.column(column).is_null()).to_pylist())
        if not held_back.issuperset(empty):
            name = "expect_column_values_to_not_be_null"
            declared = Expectation.model_validate({"expectation": name, "severity": "critical", "column": column})
            counts = {"element_count": rows.num_rows, "unexpected_count": len(empty)}
            found.append(Finding(declared, "failed", f"{len(empty):,} of {rows.num_rows:,} rows", empty, counts))
    return found


def floored(rows: pa.Table) -> tuple[pa.Table, int]:
    """Bring times to the microseconds that the lake has: down to the last one that had begun, also before 1970.

    Args:
        rows: Rows as the source returned them, all times with a time zone.

    Returns:
        The rows, and how many times were not whole microseconds.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    lost = 0
    for place, field in enumerate(rows.schema):
        if pa.types.is_timestamp(field.type) and field.type.unit == "ns":
            exact = rows.column(place).cast(pa.timestamp("ns", "UTC"))
            whole = pc.floor_temporal(exact, unit="microsecond")
            lost += pc.sum(pc.not_equal(exact, whole)).as_py() or 0
            rows = rows.set_column(place, field.with_type(whole.type), whole)
    return rows, lost


def far_times(pipeline: Pipeline, name: str, rows: pa.Table, partition: date) -> int:
    """Count the rows that happened further from their day than the table says.

    Args:
        pipeline: The declaration.
        name: The table.
        rows: Its rows of a day.
        partition: The day.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    if not rows.num_rows:
        return 0
    times, zone = rows.column(pipeline.tables[name].time), pipeline.schedule.timezone
    within = time_within(pipeline, name)
    first, last = as_of(partition - DAY_LONG, zone) - within, as_of(partition, zone) + within
    before, after = (pa.scalar(moment, pa.timestamp("us", "UTC")) for moment in (first, last))
    return pc.sum(pc.or_(pc.less(times, before), pc.greater(times, after))).as_py() or 0


def time_within(pipeline: Pipeline, name: str) -> timedelta:
    """Return how far from its day a row of a table may have happened: a day, or as long as labels take, if not told."""
    declared = pipeline.tables[name].time_within
    if declared is not None:
        return declared
    label = pipeline.label
    return max(DAY_LONG, label.horizon + label.delay) if name == label.table else DAY_LONG
