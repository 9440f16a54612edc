"""The types of the lake, and how rows come to them: no value ever becomes another one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airloom.core.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa


def lake_type(kind: pa.DataType) -> pa.DataType | None:
    """Return the type in which the lake holds values of a type; None where it cannot hold them.

    A Delta table has no unsigned numbers: they take the next wider type. Timestamps have microseconds and, where they
    have a time zone, UTC. A column without a single value has no type yet.

    Args:
        kind: The type of a column, as Arrow names it.
    """
    import pyarrow as pa
    from pyarrow import types

    if types.is_dictionary(kind):
        return lake_type(kind.value_type)
    if types.is_timestamp(kind):
        return pa.timestamp("us", kind.tz and "UTC")
    if types.is_decimal(kind):
        return pa.decimal128(kind.precision, kind.scale) if kind.precision <= 38 and kind.scale >= 0 else None
    for same, stored in (
        (types.is_signed_integer, kind),
        (types.is_uint8, pa.int16()),
        (types.is_uint16, pa.int32()),
        (types.is_unsigned_integer, pa.int64()),
        (types.is_float16, None),
        (types.is_floating, kind),
        (_is_text, pa.string()),
        (_is_binary, pa.binary()),
        (types.is_date, pa.date32()),
        (types.is_boolean, kind),
        (types.is_null, kind),
    ):
        if same(kind):
            return stored
    return None


def fitted(rows: pa.Table, known: pa.Schema, table: str) -> pa.Table:
    """Bring rows to the types of the lake, and columns that are published already to theirs.

    Numbers may become numbers of another type where every value stays what it is; nothing else changes its kind.

    Args:
        rows: The rows.
        known: The columns that the table has.
        table: Its name, for errors.

    Raises:
        DataError: The lake has no such type, or a value would become another one.
    """
    import pyarrow as pa

    for place, field in enumerate(rows.schema):
        published = known.field(field.name).type if field.name in known.names else pa.null()
        wanted = lake_type(field.type) if pa.types.is_null(published) else published
        if wanted is None:
            raise _cannot_hold(table, field)
        if field.name in known.names and pa.types.is_null(published) and pa.types.is_decimal(wanted):
            # deltalake gives the column every other type with its first value, and could not read these.
            raise _does_not_fit(table, field, published)
        if field.type != wanted:
            rows = rows.set_column(place, field.name, _cast(rows.column(place), field, wanted, table))
    return rows


def _cannot_hold(table: str, field: pa.Field) -> DataError:
    """Return the error of a column whose type the lake does not have."""
    return DataError(
        "A column has a type that the lake cannot hold.",
        where=f"table {table}, column {field.name}",
        found=str(field.type),
        expected="numbers, text, booleans, dates, timestamps, decimals of up to 38 digits, or bytes",
        do="bring it to one of these in the source",
    )


def _cast(column: pa.ChunkedArray, field: pa.Field, wanted: pa.DataType, table: str) -> pa.ChunkedArray:
    import pyarrow as pa
    from pyarrow import types

    if types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if types.is_null(column.type):
        return column.cast(wanted)
    if not _same_kind(column.type, wanted):
        raise _does_not_fit(table, field, wanted)
    if types.is_timestamp(wanted):
        return column.cast(wanted, safe=False)
    try:
        cast = column.cast(wanted)
        back = cast.cast(column.type)
    except pa.ArrowInvalid:
        raise _does_not_fit(table, field, wanted) from None
    if not _same_values(column, back):
        raise _does_not_fit(table, field, wanted)
    return cast


def _same_values(mine: pa.ChunkedArray, theirs: pa.ChunkedArray) -> bool:
    """Tell whether columns of one type have the same values; NaN is the same as NaN."""
    import pyarrow.compute as pc
    from pyarrow import types

    same = pc.equal(mine, theirs)
    if types.is_floating(mine.type):
        same = pc.or_(same, pc.and_(pc.is_nan(mine), pc.is_nan(theirs)))
    return pc.all(same).as_py() is not False


def _same_kind(mine: pa.DataType, theirs: pa.DataType) -> bool:
    """Tell whether values of a type mean the same in another one: 1 is no text, and no moment."""
    from pyarrow import types

    if types.is_timestamp(mine) and types.is_timestamp(theirs):
        return bool((mine.tz is None) == (theirs.tz is None))
    kinds = (_is_number, types.is_decimal, _is_text, _is_binary, types.is_date, types.is_boolean)
    return any(kind(mine) and kind(theirs) for kind in kinds)


def _is_number(kind: pa.DataType) -> bool:
    from pyarrow import types

    return bool(types.is_integer(kind) or types.is_floating(kind))


def _is_text(kind: pa.DataType) -> bool:
    from pyarrow import types

    return any(each(kind) for each in (types.is_string, types.is_large_string, types.is_string_view))


def _is_binary(kind: pa.DataType) -> bool:
    from pyarrow import types

    forms = (types.is_binary, types.is_large_binary, types.is_binary_view, types.is_fixed_size_binary)
    return any(each(kind) for each in forms)


def _does_not_fit(table: str, field: pa.Field, wanted: pa.DataType) -> DataError:
    return DataError(
        "Rows do not have the types that the table has, and some values would become others.",
        where=f"table {table}, column {field.name}",
        found=str(field.type),
        expected=str(wanted),
        do="bring the values to that type, or publish them under another name",
    )
