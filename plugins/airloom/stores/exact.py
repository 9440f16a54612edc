"""Exact casts: every value of a column in another type, or nothing."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

#: Digits that hold every int64.
_MOST_WHOLE = 19


def exactly(column: pa.ChunkedArray, wanted: pa.DataType) -> pa.ChunkedArray | None:
    """Return a column in another type; None where a value would become another one or has no meaning in it.

    NaN is a missing number, also in a type that has no NaN. Timestamps become microseconds; nanoseconds are cut.

    Args:
        column: The column.
        wanted: The type.
    """
    import pyarrow as pa
    import pyarrow.compute as pc
    from pyarrow import types

    if types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if column.type == wanted:
        return column
    if has_no_value(column):
        return pa.chunked_array([pa.nulls(len(column), wanted)])
    if not _same_kind(column.type, wanted):
        return None
    if types.is_timestamp(wanted) and column.type.unit == "ns":
        return column.cast(wanted, safe=False)
    if types.is_floating(column.type) and not types.is_floating(wanted):
        column = pc.if_else(pc.is_nan(column), pa.scalar(None, column.type), column)
    try:
        cast = _cast(column, wanted)
        back = _cast(cast, column.type)
    except pa.ArrowInvalid:
        return None
    return cast if _same_values(column, back) else None


def as_decimals(column: pa.ChunkedArray, wanted: pa.DataType) -> pa.ChunkedArray | None:
    """Return the decimals by which floats are written, 0.1 for the float that is nearest to it; None beyond the digits.

    Args:
        column: Floats.
        wanted: The decimals' type.
    """
    import pyarrow as pa
    from pyarrow import types

    digits = [None if number is None else Decimal(repr(number)) for number in column.cast(pa.float64()).to_pylist()]
    digits = [None if each is None or each.is_nan() else each for each in digits]
    if types.is_float32(column.type) or any(each is not None and each.is_infinite() for each in digits):
        return None
    try:
        return pa.chunked_array([pa.array(digits, wanted)])
    except pa.ArrowInvalid:
        return None


def nearest_doubles(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return the doubles that are nearest to decimals.

    Arrow's own cast misses them for one in seven amounts with two digits, 0.35 among them.

    Args:
        column: Decimals.
    """
    import pyarrow as pa

    doubles = [None if number is None else float(number) for number in column.to_pylist()]
    return pa.chunked_array([pa.array(doubles, pa.float64())])


def has_no_value(column: pa.ChunkedArray) -> bool:
    """Tell whether every value of a column is missing: null, NaN or NaT."""
    import pyarrow.compute as pc
    from pyarrow import types

    if types.is_floating(column.type) and not types.is_float16(column.type):
        return pc.all(pc.is_null(column, nan_is_null=True)).as_py() is not False
    return bool(column.null_count == len(column))


def is_number(kind: pa.DataType) -> bool:
    """Tell whether a type is of whole numbers or floats."""
    from pyarrow import types

    return bool(types.is_integer(kind) or types.is_floating(kind))


def _cast(column: pa.ChunkedArray, wanted: pa.DataType) -> pa.ChunkedArray:
    """Cast a column; a whole number becomes any decimal that has its digits, not only one that has every int64's."""
    import pyarrow as pa
    from pyarrow import types

    if types.is_decimal(wanted) and types.is_integer(column.type):
        column = column.cast(pa.decimal128(_MOST_WHOLE, 0))
    return column.cast(wanted)


def _same_values(mine: pa.ChunkedArray, theirs: pa.ChunkedArray) -> bool:
    """Tell whether columns of one type have the same values: floats by their bits, so that -0.0 is not 0.0."""
    import pyarrow as pa
    import pyarrow.compute as pc
    from pyarrow import types

    same = pc.equal(mine, theirs)
    if types.is_floating(mine.type):
        bits = {32: pa.int32(), 64: pa.int64()}[mine.type.bit_width]
        same = pc.equal(_bits(mine, bits), _bits(theirs, bits))
        same = pc.or_(same, pc.and_(pc.is_nan(mine), pc.is_nan(theirs)))
    return pc.all(same).as_py() is not False and mine.null_count == theirs.null_count


def _bits(column: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    import pyarrow as pa

    return pa.chunked_array([chunk.view(kind) for chunk in column.chunks], kind)


def _same_kind(mine: pa.DataType, theirs: pa.DataType) -> bool:
    """Tell whether values of a type mean the same in another one: 1 is no text, and no moment."""
    from pyarrow import types

    if types.is_timestamp(mine) and types.is_timestamp(theirs):
        return bool((mine.tz is None) == (theirs.tz is None))
    kinds = (is_number, _is_exact, _is_text, _is_binary, types.is_date, types.is_boolean)
    return any(kind(mine) and kind(theirs) for kind in kinds)


def _is_exact(kind: pa.DataType) -> bool:
    from pyarrow import types

    return bool(types.is_integer(kind) or types.is_decimal(kind))


def _is_text(kind: pa.DataType) -> bool:
    from pyarrow import types

    return any(each(kind) for each in (types.is_string, types.is_large_string, types.is_string_view))


def _is_binary(kind: pa.DataType) -> bool:
    from pyarrow import types

    forms = (types.is_binary, types.is_large_binary, types.is_binary_view, types.is_fixed_size_binary)
    return any(each(kind) for each in forms)
