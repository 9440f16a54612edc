"""The point-in-time join: what was known about each row's entity at the row's own moment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from airloom.core.errors import DataError
from airloom.stores.exact import exactly

if TYPE_CHECKING:
    import pyarrow as pa
    from duckdb import DuckDBPyConnection

#: Column of the moment of a row that features are joined to.
EVENT_TIMESTAMP = "event_timestamp"
#: Columns of every feature table: when a feature's knowledge ends, and when the feature itself became known.
AS_OF, KNOWN_AT = "as_of", "known_at"
_TEXT = {"STRING": "VARCHAR", "BYTES": "BLOB", "UNIX_TIMESTAMP": "TIMESTAMPTZ"}


@dataclass(frozen=True)
class Features:
    """What one feature view offers to a join.

    Args:
        view: Name of the view.
        rows: Its rows: join keys, features, as-of and the time at which they became known.
        keys: Join keys by name, with the column of the other side that each is joined to.
        names: The features, with the names they get.
        types: Names of the features' Feast types; numbers and booleans are joined as float64.
        as_of: Column of the as-of.
        known_at: Column of the time at which a row became known.
        ttl: The age at which a feature is as good as missing; None when it never is.
    """

    view: str
    rows: pa.Table
    keys: Mapping[str, str]
    names: Mapping[str, str]
    types: Mapping[str, str]
    as_of: str
    known_at: str
    ttl: timedelta | None


def event_times(rows: pa.Table) -> pa.ChunkedArray:
    """Return the moments of rows in UTC, in microseconds.

    Raises:
        DataError: There is no such column, or it is not a column of instants.
    """
    import pyarrow as pa

    if EVENT_TIMESTAMP not in rows.column_names:
        raise DataError(
            "Rows that features are joined to need a moment.",
            found=", ".join(rows.column_names),
            expected=f"a column {EVENT_TIMESTAMP}",
        )
    column = rows.column(EVENT_TIMESTAMP)
    if not pa.types.is_timestamp(column.type) or column.type.tz is None:
        raise DataError(
            "The moments that features are joined at must name their time zone.",
            where=f"column {EVENT_TIMESTAMP}",
            found=str(column.type),
            expected="instants, in UTC",
        )
    return column.cast(pa.timestamp("us", "UTC"), safe=False)


@contextmanager
def join_engine() -> Iterator[DuckDBPyConnection]:
    """Open an engine for joins; opening takes longer than a join of some thousand rows."""
    import duckdb

    with duckdb.connect(config={"python_enable_replacements": False}) as engine:
        engine.execute("SET TimeZone = 'UTC'")
        yield engine


def join_features(engine: DuckDBPyConnection, rows: pa.Table, moments: pa.ChunkedArray, features: Features) -> pa.Table:
    """Append one view's features to rows; every row stays, and stays in its place.

    Args:
        engine: Does the join.
        rows: The rows, with the columns that the view's keys are joined to.
        moments: When each row is; what became known later does not exist for it.
        features: What is joined.

    Raises:
        DataError: A key is missing or of another type, a name is taken, or the join did not keep the rows.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    _require_names(rows, features)
    left = _left(rows, moments, features)
    engine.register("entities", left)
    engine.register("features", features.rows)
    joined = engine.sql(_query(features)).to_arrow_table()
    if joined.num_rows != rows.num_rows or not joined.column("row").equals(left.column("row")):
        raise DataError(
            "A point-in-time join lost or repeated rows.",
            where=f"feature view {features.view}",
            found=f"{joined.num_rows} rows",
            expected=f"{rows.num_rows} rows",
        )
    if late := pc.sum(pc.greater(joined.column("used_from"), left.column("moment"))).as_py():
        raise DataError(
            "A point-in-time join has used features from after the moment of their rows.",
            where=f"feature view {features.view}",
            found=f"{late} rows",
            expected="0 rows",
        )
    for place, name in enumerate(features.names.values()):
        column = joined.column(f"f{place}")
        if pa.types.is_integer(column.type):
            doubles = exactly(column, pa.float64())
            column = column if doubles is None else doubles
        rows = rows.append_column(name, pa.chunked_array(column.chunks, column.type))
    return rows


def newest_rows(rows: pa.Table, keys: list[str], order: list[str]) -> pa.Table:
    """Return each entity's newest row, the same one whatever the order of the rows.

    Args:
        rows: The rows.
        keys: The columns that tell entities apart.
        order: The columns that say which row is newer, the most important one first.
    """
    if rows.group_by(keys).aggregate([]).num_rows == rows.num_rows:
        return rows
    rest = [name for name in rows.column_names if name not in (*keys, *order)]
    ranked = ", ".join([*(f"{_quoted(name)} DESC" for name in order), *(_quoted(name) for name in rest)])
    query = f"SELECT * FROM pulled QUALIFY row_number() OVER (PARTITION BY {_list(keys)} ORDER BY {ranked}) = 1"  # noqa: S608
    with join_engine() as engine:
        engine.register("pulled", rows)
        return engine.sql(query).to_arrow_table()


def _query(features: Features) -> str:
    """Return the join.

    A row can be used from the later of its as-of and its knowledge. Rows that come into use when a newer as-of is in
    use already never are the answer; without them, the newest row in use is the last that came into use, which is
    what an ASOF join finds.
    """
    keys, values = list(features.keys), list(features.names)
    as_of, known = _quoted(features.as_of), _quoted(features.known_at)
    newest = ", ".join([f"{as_of} DESC", f"{known} DESC", *map(_quoted, values)])
    on = " AND ".join(f"entities.k{place} = usable.{_quoted(key)}" for place, key in enumerate(keys))
    age = features.ttl // timedelta(microseconds=1) if features.ttl else None
    alive = "true" if age is None else f"usable.{as_of} >= entities.moment - to_microseconds({age})"
    types = [_sql_type(features, name) for name in values]
    chosen = [
        f"CAST(CASE WHEN {alive} THEN usable.{_quoted(name)} END AS {kind}) AS f{place}"
        for place, (name, kind) in enumerate(zip(values, types, strict=True))
    ]
    return f"""
        WITH known AS (
            SELECT *, greatest({as_of}, {known}) AS usable_from FROM features
            QUALIFY row_number() OVER (PARTITION BY {_list(keys)}, usable_from ORDER BY {newest}) = 1
        ), usable AS (
            SELECT * FROM known
            QUALIFY {as_of} >= coalesce(max({as_of}) OVER (
                PARTITION BY {_list(keys)} ORDER BY usable_from ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
            ), {as_of})
        )
        SELECT entities.row, usable.usable_from AS used_from, {", ".join(chosen)}
        FROM entities ASOF LEFT JOIN usable ON {on} AND entities.moment >= usable.usable_from
        ORDER BY entities.row
    """  # noqa: S608


def _sql_type(features: Features, name: str) -> str:
    """Return the type in which a feature is joined: whole numbers pass through no float on the way."""
    import pyarrow as pa

    numbers = "BIGINT" if pa.types.is_integer(features.rows.schema.field(name).type) else "DOUBLE"
    return _TEXT.get(features.types[name], numbers)


def _left(rows: pa.Table, moments: pa.ChunkedArray, features: Features) -> pa.Table:
    """Return the rows' keys and moments under names that cannot clash, numbered."""
    import numpy as np
    import pyarrow as pa

    columns = {"row": pa.array(np.arange(rows.num_rows)), "moment": moments}
    for place, (key, column) in enumerate(features.keys.items()):
        columns[f"k{place}"] = _key(rows.column(column), features.rows.column(key).type, features.view, column)
    return pa.table(columns)


def _key(column: pa.ChunkedArray, expected: pa.DataType, view: str, name: str) -> pa.ChunkedArray:
    """Return a key in the type of the features' key; texts are never taken for numbers, nor numbers for texts.

    pandas makes floats of whole numbers among which one is missing: they are the numbers that they were.
    """
    import pyarrow as pa

    if pa.types.is_null(expected):  # A view that never had a row: nothing will be found.
        return column
    found = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    floats = pa.types.is_floating(found) and pa.types.is_integer(expected)
    if not floats and _family(found) not in ("nothing", _family(expected)):
        raise DataError(
            "An entity key has not the type that the features have.",
            where=f"feature view {view}, column {name}",
            found=str(found),
            expected=str(expected),
        )
    key = exactly(column, expected)
    if key is None:
        raise DataError(
            "An entity key is beyond what the features' keys can be.",
            where=f"feature view {view}, column {name}",
            found=f"{found}, with a number that is too large or too small" + (", or has a fraction" if floats else ""),
            expected=str(expected),
            do="make the key text, in the table and in the view's SQL",
        )
    return key


def _family(kind: pa.DataType) -> str:
    import pyarrow as pa

    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return "text"
    if pa.types.is_integer(kind):
        return "whole numbers"
    return "nothing" if pa.types.is_null(kind) else str(kind)


def _require_names(rows: pa.Table, features: Features) -> None:
    absent = [column for column in features.keys.values() if column not in rows.column_names]
    taken = [name for name in features.names.values() if name in rows.column_names]
    if absent:
        raise DataError(
            "Rows lack an entity key.",
            where=f"feature view {features.view}",
            found=", ".join(rows.column_names),
            expected=", ".join(absent),
        )
    if taken:
        raise DataError(
            "A feature has the name of a column that the rows have already.",
            where=f"feature view {features.view}",
            found=", ".join(taken),
            do="rename the feature, or ask for full feature names",
        )


def _list(names: Sequence[str]) -> str:
    return ", ".join(map(_quoted, names))


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
