"""How the columns of a table widen from day to day: a value never changes, a type may, and all days share it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from airloom.core.errors import DataError
from airloom.stores.exact import exactly, has_no_value, is_number
from airloom.stores.lake_types import type_name

if TYPE_CHECKING:
    import pyarrow as pa

#: Digits of the largest number of a whole type, by its width in bits.
_DIGITS = {8: 3, 16: 5, 32: 10, 64: 19}


@dataclass(frozen=True)
class Fitted:
    """Rows of a day in the types that its table has then.

    Args:
        rows: The rows, with every column of the table; a column that they do not have is null.
        schema: The table's columns from then on, in its order.
        widened: The columns that get another type, with both in words.
    """

    rows: pa.Table
    schema: pa.Schema
    widened: dict[str, str]


class NotTheSameType(Exception):
    """A column of a day has values that the column of the table cannot hold, in no type that holds both.

    Args:
        column: Its name.
        found: Its type on this day.
        known: Its type in the table.
    """

    def __init__(self, column: str, found: pa.DataType, known: pa.DataType) -> None:
        super().__init__(column, found, known)
        self.column, self.found, self.known = column, found, known


def fit(rows: pa.Table, known: pa.Schema, published: Callable[[str], pa.ChunkedArray]) -> Fitted:
    """Bring rows of one day and a table together: new columns are added, and columns widen where they have to.

    Args:
        rows: The rows, in types of the lake.
        known: The table's columns.
        published: Returns a column of the table's other days, by name.

    Raises:
        NotTheSameType: No type holds both what is published and what is in the rows.
    """
    import pyarrow as pa

    columns, widened = {}, {}
    new = [pa.field(name, pa.null()) for name in rows.column_names if name not in known.names]
    for field in (*known, *new):
        name, kind = field.name, field.type
        if name not in rows.column_names:
            columns[name] = pa.chunked_array([pa.nulls(rows.num_rows, kind)])
            continue
        column = rows.column(name)
        wanted = joined(kind, column, partial(published, name))
        kept = None if wanted is None else exactly(column, wanted)
        if wanted is None or kept is None:
            raise NotTheSameType(name, column.type, kind)
        if wanted != kind and name in known.names:
            widened[name] = f"{type_name(kind)} to {type_name(wanted)}"
        columns[name] = kept
    fitting = pa.table(columns)
    return Fitted(fitting, fitting.schema, widened)


def joined(known: pa.DataType, column: pa.ChunkedArray, published: Callable[[], pa.ChunkedArray]) -> pa.DataType | None:
    """Return the type that holds what a column of a table has and what one of a day has; None where none does.

    The table's own type stays where it holds the day's values exactly. Without a value there is no type to keep.

    Args:
        known: The type in the table.
        column: The day's column.
        published: Returns the table's column on all other days; it is read only where values decide.
    """
    import pyarrow as pa

    own = column.type
    if pa.types.is_null(known):
        return known if has_no_value(column) else own
    if known == own:
        return own
    if exactly(column, known) is not None:
        return known
    others = None
    wider = wider_type(known, own)
    if wider is not None and exactly(column, wider) is not None:
        if not pa.types.is_int64(known) or not pa.types.is_floating(wider):
            return wider
        others = published()
        if exactly(others, wider) is not None:
            return wider
    others = published() if others is None else others
    return own if others.null_count == len(others) and _reads(known, own) else None


def _reads(one: pa.DataType, other: pa.DataType) -> bool:
    """Tell whether files of a type, even without a value, can be read as another one."""
    import pyarrow as pa

    try:
        pa.nulls(1, one).cast(other)
    except pa.ArrowNotImplementedError:
        return False
    return True


def wider_type(one: pa.DataType, other: pa.DataType) -> pa.DataType | None:
    """Return the narrowest type that holds the values of two types; None where they are not of one kind.

    Whole numbers and floats meet in float64, which holds whole numbers up to 2**53.
    """
    import pyarrow as pa
    from pyarrow import types

    if types.is_integer(one) and types.is_integer(other):
        return max(one, other, key=lambda kind: int(kind.bit_width))
    if is_number(one) and is_number(other):
        return pa.float64()
    digits = [_digits(kind) for kind in (one, other)]
    if (types.is_decimal(one) or types.is_decimal(other)) and None not in digits:
        before, after = (max(places) for places in zip(*(each for each in digits if each), strict=True))
        return pa.decimal128(before + after, after) if before + after <= 38 else None
    return None


def _digits(kind: pa.DataType) -> tuple[int, int] | None:
    """Return how many digits a type has before and after the point; None for types that are not exact numbers."""
    from pyarrow import types

    if types.is_decimal(kind):
        return kind.precision - kind.scale, kind.scale
    return (_DIGITS[kind.bit_width], 0) if types.is_integer(kind) else None


def recast(rows: pa.Table, own: pa.Schema) -> pa.Table:
    """Return rows of the lake in the types that they were given in.

    Raises:
        DataError: A value is not what it was.
    """
    import pyarrow as pa

    columns = {field.name: exactly(rows[field.name], field.type) for field in own}
    if lost := [name for name, column in columns.items() if column is None]:
        raise DataError("A column does not hold what was published any more.", where=f"column {lost[0]}")
    return pa.table(columns)
