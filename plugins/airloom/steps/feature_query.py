"""Runs the SQL of a declaration over the rows that were known as of a day, and over nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING

from airloom.core.errors import DataError, DeclarationError
from airloom.core.pipeline import Pipeline
from airloom.core.reserved import PREFIX, is_reserved
from airloom.steps.inputs import ViewInputs
from airloom.steps.repeatable import read_query
from airloom.stores.exact import nearest_doubles
from airloom.stores.lake import PartitionVersion
from airloom.stores.partition_columns import PARTITION, PARTITION_COLUMNS
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
    engine: DuckDBPyConnection, pipeline: Pipeline, used: ViewInputs, rows: Mapping[str, pa.Table], moment: datetime
) -> pa.Table:
    """Compute the features of one view for one day.

    The SQL sees every table that the view reads under its own name, with the rows of the window that were known at the
    end of the day, and `$as_of`, that moment.

    Args:
        engine: The engine.
        pipeline: The declaration.
        used: The view, its window and its SQL.
        rows: Rows of the tables that the view reads, of more days perhaps, in a stable order.
        moment: The as-of.

    Returns:
        The features, with `as_of` and `known_at`; none where a table never had a row.

    Raises:
        DeclarationError: The SQL cannot be run, or names a column as the engine does.
        DataError: The SQL gave a column of a type that cannot be a feature.
    """
    import pyarrow as pa

    if used.untyped:
        return pa.table({})
    where = f"include/{pipeline.name}/{pipeline.features.views[used.view].sql}"
    tables = {
        table: known_rows(rows[table], found, pipeline.tables[table].known_at, moment)
        for table, found in used.found.items()
    }
    features = run_query(engine, f"the feature view {used.view}", used.sql, where, tables, {"as_of": moment})
    return stamped(features, moment, where)


def run_query(
    engine: DuckDBPyConnection,
    subject: str,
    sql: str,
    where: str,
    tables: Mapping[str, pa.Table],
    parameters: Mapping[str, datetime],
) -> pa.Table:
    """Run one query over some tables, each under its own name, and nothing else.

    Args:
        engine: The engine.
        subject: What the query computes, for an error.
        sql: The query.
        where: Its file, for an error.
        tables: What it may read.
        parameters: What it may name after a `$`.

    Raises:
        DeclarationError: The SQL is not one query, may give other values the next time, or cannot be run.
    """
    import duckdb

    statement = read_query(sql, subject, where)
    for table, rows in tables.items():
        engine.register(table, rows)
    try:
        named = {name: moment for name, moment in parameters.items() if name in statement.named_parameters}
        return engine.sql(statement.query, params=named or None).to_arrow_table()
    except duckdb.Error as error:
        several = "tables" if len(tables) > 1 else "table"
        raise DeclarationError(
            f"The SQL of {subject} cannot be run.",
            where=where,
            found=_found(error),
            do=f"read only the {several} {_words(tables)} and the parameter{'s' if len(parameters) > 1 else ''} "
            + _words(f"${name}" for name in parameters),
        ) from error
    finally:
        for table in tables:
            engine.unregister(table)


def known_rows(rows: pa.Table, published: Iterable[PartitionVersion], known_at: str, moment: datetime) -> pa.Table:
    """Return the rows of some days that were known at a moment; a number that is not one is a missing one.

    Args:
        rows: Rows of these days, and of others perhaps, with `PARTITION_COLUMNS`.
        published: The days.
        known_at: The column with the moment at which a row became known.
        moment: The as-of.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    days = pa.array([each.partition.isoformat() for each in published], pa.string())
    in_window = pc.is_in(rows.column(PARTITION).cast(pa.string()), value_set=days)
    known = pc.less_equal(rows.column(known_at), pa.scalar(moment, rows.schema.field(known_at).type))
    visible = rows.filter(pc.and_(in_window, known)).drop_columns(PARTITION_COLUMNS)
    for place, field in enumerate(visible.schema):
        if pa.types.is_floating(field.type):
            column = visible.column(place)
            numbers = pc.if_else(pc.is_nan(column), pa.scalar(None, field.type), column)
            visible = visible.set_column(place, field, numbers)
    return visible


def _found(error: duckdb.Error) -> str:
    """Say what is wrong with the SQL; of an error over rows only its kind, since its words may hold values."""
    import duckdb

    words = str(error).partition("\n")[0]
    of_the_sql = (duckdb.BinderException, duckdb.CatalogException, duckdb.ParserException, duckdb.PermissionException)
    if isinstance(error, (*of_the_sql, duckdb.SyntaxException, duckdb.NotImplementedException)):
        return words
    column = re.search(r"when casting from source column \w+", words)
    kind = re.match(r"[A-Za-z ]+ Error(?=:)", words)
    said = f"{kind[0] if kind else type(error).__name__}: a value that is not shown here"
    return said + (f", {column[0]}" if column else "")


def _words(names: Iterable[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last


def stamped(features: pa.Table, moment: datetime, where: str) -> pa.Table:
    """Return features in the few types that are kept, stamped with the moment at which they became known.

    Raises:
        DeclarationError: A column has a name of ours, or that of another one.
        DataError: A column is of a type that is not kept, or a number is beyond it.
    """
    import pyarrow as pa

    reserved = [name for name in features.column_names if name in (AS_OF, KNOWN_AT) or is_reserved(name)]
    if reserved or len(set(features.column_names)) < features.num_columns:
        raise DeclarationError(
            "The SQL of a feature view must give every column a name of its own.",
            where=where,
            found=", ".join(features.column_names),
            do=f"leave {AS_OF}, {KNOWN_AT} and what begins with {PREFIX} to the engine",
        )
    columns = {field.name: _kept(features.column(field.name), field, where) for field in features.schema}
    stamp = pa.array([moment] * features.num_rows, pa.timestamp("us", "UTC"))
    return pa.table({**columns, AS_OF: stamp, KNOWN_AT: stamp})


def _kept(column: pa.ChunkedArray, field: pa.Field, where: str) -> pa.ChunkedArray:
    """Return a column in the type in which it is kept.

    Raises:
        DataError: It is of a type that is not kept, or a number is beyond it.
    """
    kind = kept_type(field, "a feature view", where)
    kept = as_kept(column, kind)
    if kept is None:
        raise DataError(
            "The SQL of a feature view gives a number that is too large or too small.",
            where=f"{where}, column {field.name}",
            found=str(field.type),
            expected=str(kind),
            do="cast it to DOUBLE in the SQL, and declare the feature as Float64",
        )
    return kept


def as_kept(column: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray | None:
    """Return a column of a query's result in the type in which it is kept; None where a value does not fit it.

    Args:
        column: The column.
        kind: The type.
    """
    import pyarrow as pa

    if pa.types.is_decimal(column.type) and pa.types.is_floating(kind):
        return nearest_doubles(column)
    try:
        return column.cast(kind)
    except pa.ArrowInvalid:  # It would show the value.
        return None


def kept_type(field: pa.Field, subject: str, where: str) -> pa.DataType:
    """Return the type in which a column of a query's result is kept.

    Raises:
        DataError: It is of a type that is not.
    """
    import pyarrow as pa

    kind = field.type
    if pa.types.is_integer(kind):
        return pa.int64()
    if pa.types.is_floating(kind):
        return pa.float64()
    if pa.types.is_decimal(kind):
        return pa.int64() if kind.scale == 0 else pa.float64()
    if pa.types.is_boolean(kind) or pa.types.is_string(kind) or pa.types.is_null(kind):
        return kind
    if pa.types.is_timestamp(kind):
        return pa.timestamp("us", "UTC")
    raise DataError(
        f"The SQL of {subject} gives a column of a type that is not kept.",
        where=f"{where}, column {field.name}",
        found=str(kind),
        expected="a number, text, boolean or timestamp",
        do="cast it in the SQL",
    )
