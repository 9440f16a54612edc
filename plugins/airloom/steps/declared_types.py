"""Brings the features of a view to their declared types, once: what is published is what every store holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from airloom.core.errors import DataError
from airloom.stores.exact import exactly, has_no_value

if TYPE_CHECKING:
    import pyarrow as pa


def as_declared(rows: pa.Table, types: Mapping[str, str], where: str) -> pa.Table:
    """Bring features to the types that the view declares for them.

    A float becomes the nearest one of the declared width, and a moment the second that it lies in, as Feast keeps it.
    Nothing else may change: a fraction is no whole number, and a count is no boolean.

    Args:
        rows: The rows of a view.
        types: Its features, with the names of their Feast types.
        where: The file of its SQL, for an error.

    Raises:
        DataError: A value does not fit the declared type.
    """
    if not rows.num_rows:
        return rows
    for name, declared in ((name, types[name]) for name in types if name in rows.column_names):
        place = rows.column_names.index(name)
        kept = _as_type(rows.column(place), declared)
        if kept is None:
            raise DataError(
                "A feature has values that its declared type cannot hold.",
                where=f"{where}, column {name}",
                found=str(rows.schema.field(place).type),
                expected=declared.lower(),
                do="cast or round it in the SQL, or declare another type in the view's schema and run: airloom apply",
            )
        rows = rows.set_column(place, name, kept)
    return rows


def _as_type(column: pa.ChunkedArray, declared: str) -> pa.ChunkedArray | None:
    """Return a column in the type of Feast's name; None where a value does not fit."""
    import pyarrow as pa
    import pyarrow.compute as pc
    from pyarrow import types

    wanted = _arrow(declared)
    if wanted is None or has_no_value(column):
        return column if wanted is None else pa.chunked_array([pa.nulls(len(column), wanted)])
    if types.is_timestamp(column.type) and types.is_timestamp(wanted):
        return pc.floor_temporal(column, unit="second").cast(wanted)
    if types.is_floating(column.type) and types.is_floating(wanted):
        cast = column.cast(wanted, safe=False)
        return cast if pc.all(pc.equal(pc.is_inf(cast), pc.is_inf(column))).as_py() is not False else None
    if types.is_boolean(column.type) and not types.is_boolean(wanted):
        return exactly(column.cast(pa.int8()), wanted)
    if types.is_boolean(wanted) and not types.is_boolean(column.type):
        whole = exactly(column, pa.int64())
        binary = whole is not None and pc.all(pc.is_in(whole.drop_null(), pa.array([0, 1]))).as_py() is not False
        return whole.cast(wanted) if whole is not None and binary else None
    return exactly(column, wanted)


def _arrow(declared: str) -> pa.DataType | None:
    """Return the type that the lake keeps for one of Feast's; None for types that no store of features has."""
    import pyarrow as pa

    return {
        "DOUBLE": pa.float64(),
        "FLOAT": pa.float32(),
        "INT64": pa.int64(),
        "INT32": pa.int32(),
        "BOOL": pa.bool_(),
        "STRING": pa.string(),
        "BYTES": pa.binary(),
        "UNIX_TIMESTAMP": pa.timestamp("us", "UTC"),
    }.get(declared)
