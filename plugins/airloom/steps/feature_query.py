"""Runs a view's SQL over the rows that were known as of a day, and over nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airloom.core.errors import DataError, DeclarationError
from airloom.core.pipeline import Pipeline
from airloom.steps.inputs import ViewInputs
from airloom.stores.lake import PARTITION_COLUMNS
from airloom.stores.point_in_time import AS_OF, KNOWN_AT

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa
    from duckdb import DuckDBPyConnection

# One thread and no order but the rows' own: sums of floats are the same wherever and whenever they are computed.
_CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "threads": 1,
    "enable_external_access": False,
    "python_enable_replacements": False,
}


@contextmanager
def query_engine(timezone: str) -> Iterator[DuckDBPyConnection]:
    """Open an engine that reads no file and no other table; a day in it is a day of the time zone."""
    import duckdb

    with duckdb.connect(config=_CONFIG) as engine:
        engine.execute(f"SET TimeZone = '{timezone}'")
        yield engine


def run_feature_query(
    engine: DuckDBPyConnection, pipeline: Pipeline, used: ViewInputs, rows: pa.Table, moment: datetime
) -> pa.Table:
    """Compute the features of one view for one day.

    The SQL sees the table that the view reads under its own name, with the rows of the window that were known at the
    end of the day, and `$as_of`, that moment.

    Args:
        engine: The engine.
        pipeline: The declaration.
        used: The view, its window and its SQL.
        rows: Rows of the table that the view reads, of more days perhaps, in a stable order.
        moment: The as-of.

    Returns:
        The features, with `as_of` and `known_at`; none where the table never had a row.

    Raises:
        DeclarationError: The SQL cannot be run, or names a column as the engine does.
        DataError: The SQL gave a column of a type that cannot be a feature.
    """
    import duckdb
    import pyarrow as pa

    if not used.typed:
        return pa.table({})
    view = pipeline.features.views[used.view]
    where = f"include/{pipeline.name}/{view.sql}"
    engine.register(view.reads, _known(rows, used, pipeline.tables[view.reads].known_at, moment))
    try:
        statement = _statement(used.sql, where)
        parameters: Any = {"as_of": moment} if "as_of" in statement.named_parameters else None
        features = engine.sql(statement.query, params=parameters).to_arrow_table()
    except duckdb.Error as error:
        raise DeclarationError(
            f"The SQL of the feature view {used.view} cannot be run.",
            where=where,
            found=_found(error),
            do=f"read only the table {view.reads} and the parameter $as_of",
        ) from None
    finally:
        engine.unregister(view.reads)
    return _stamped(features, moment, where)


def _found(error: duckdb.Error) -> str:
    """Say what went wrong; an error about a value would show that, and logs and lineage hold no value of the data."""
    import duckdb

    words = str(error).splitlines()[0]
    if isinstance(error, (duckdb.ConversionException, duckdb.OutOfRangeException, duckdb.InvalidInputException)):
        column = re.search(r"when casting from source column \w+", words)
        return f"{words.partition(':')[0]}: a value that is not shown here" + (f", {column[0]}" if column else "")
    return words


def _statement(sql: str, where: str) -> Any:
    import duckdb

    statements = duckdb.extract_statements(sql)
    if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
        raise DeclarationError(
            "The SQL of a feature view is one query.",
            where=where,
            found=f"{len(statements)} statements",
            expected="one SELECT",
        )
    return statements[0]


def _known(rows: pa.Table, used: ViewInputs, known_at: str, moment: datetime) -> pa.Table:
    """Return the rows of a window that were known at a moment; a number that is not one is a missing one."""
    import pyarrow as pa
    import pyarrow.compute as pc

    days = pa.array([each.partition.isoformat() for each in used.found], pa.string())
    in_window = pc.is_in(rows.column("partition").cast(pa.string()), value_set=days)
    known = pc.less_equal(rows.column(known_at), pa.scalar(moment, rows.schema.field(known_at).type))
    visible = rows.filter(pc.and_(in_window, known)).drop_columns(PARTITION_COLUMNS)
    for place, field in enumerate(visible.schema):
        if pa.types.is_floating(field.type):
            column = visible.column(place)
            numbers = pc.if_else(pc.is_nan(column), pa.scalar(None, field.type), column)
            visible = visible.set_column(place, field, numbers)
    return visible


def _stamped(features: pa.Table, moment: datetime, where: str) -> pa.Table:
    """Return features in the few types that are kept, stamped with the moment at which they became known."""
    import pyarrow as pa

    reserved = {AS_OF, KNOWN_AT, *PARTITION_COLUMNS}.intersection(features.column_names)
    if reserved or len(set(features.column_names)) < features.num_columns:
        raise DeclarationError(
            "The SQL of a feature view must give every column a name of its own.",
            where=where,
            found=", ".join(features.column_names),
            do=f"leave {AS_OF}, {KNOWN_AT} and {', '.join(PARTITION_COLUMNS)} to the engine",
        )
    columns = {field.name: features.column(field.name).cast(_kept(field, where)) for field in features.schema}
    stamp = pa.array([moment] * features.num_rows, pa.timestamp("us", "UTC"))
    return pa.table({**columns, AS_OF: stamp, KNOWN_AT: stamp})


def _kept(field: pa.Field, where: str) -> pa.DataType:
    import pyarrow as pa

    kind = field.type
    if pa.types.is_integer(kind):
        return pa.int64()
    if pa.types.is_floating(kind):
        return pa.float64()
    if pa.types.is_decimal(kind):
        return pa.int64() if kind.scale == 0 else pa.float64()
    if pa.types.is_boolean(kind) or pa.types.is_string(kind):
        return kind
    if pa.types.is_timestamp(kind):
        return pa.timestamp("us", "UTC")
    raise DataError(
        "A feature view has a column that cannot be a feature.",
        where=f"{where}, column {field.name}",
        found=str(kind),
        expected="a number, text, boolean or timestamp",
        do="cast it in the SQL",
    )
