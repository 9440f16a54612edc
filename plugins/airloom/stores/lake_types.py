"""The types of the lake: the one table that says in which type a column of any type is kept, and under which name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from airloom.core.column_types import DECIMAL, MOST_DIGITS, NAMES
from airloom.core.errors import DataError
from airloom.stores.exact import as_decimals, exactly, has_no_value

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class Rule:
    """One row of the table of types.

    Args:
        source: The types that a source may return, in words.
        arrow: Names of the tests in `pyarrow.types` that know them.
        kept: The name of the type in which the lake keeps them, "same" for their own; None where it cannot.
        note: What else there is to know.
    """

    source: str
    arrow: tuple[str, ...]
    kept: str | Literal["same"] | None
    note: str = ""


#: The first rule that knows a type counts.
RULES = (
    Rule("whole numbers, int8 to int64", ("is_signed_integer",), "same"),
    Rule("uint8", ("is_uint8",), "int16"),
    Rule("uint16", ("is_uint16",), "int32"),
    Rule("uint32, uint64", ("is_unsigned_integer",), "int64", "beyond int64 refused"),
    Rule("float16", ("is_float16",), None, "make it float32"),
    Rule("float32, float64", ("is_floating",), "same", "NaN is kept as a missing number, as pandas has it"),
    Rule("decimals", ("is_decimal",), "same", "up to 38 digits, with a scale of 0 or more"),
    Rule("booleans", ("is_boolean",), "same"),
    Rule("text, large and view forms", ("is_string", "is_large_string", "is_string_view"), "text", "valid Unicode"),
    Rule(
        "bytes of any form",
        ("is_binary", "is_large_binary", "is_binary_view", "is_fixed_size_binary"),
        "bytes",
    ),
    Rule("dates", ("is_date",), "date"),
    Rule("timestamps with a time zone", ("is_timestamp",), "timestamp", "UTC, in microseconds"),
    Rule("timestamps without one", (), None, "make them UTC in the source"),
    Rule("categories", ("is_dictionary",), "same", "as their values"),
    Rule("no value at all, whatever the type", ("is_null",), "none", "the first value gives the column its type"),
    Rule("time of day", ("is_time",), None, "make it text, or a timestamp"),
    Rule("duration, interval, period", ("is_duration", "is_interval"), None, "make it a number of a unit"),
    Rule("lists, maps, structures", ("is_nested",), None, "make columns of the parts, or text such as JSON"),
)


def lake_type(kind: pa.DataType) -> pa.DataType | None:
    """Return the type in which the lake holds values of a type, by `RULES`; None where it cannot hold them.

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
        fits = kind.precision <= MOST_DIGITS and kind.scale >= 0
        return pa.decimal128(kind.precision, kind.scale) if fits else None
    rule = next((rule for rule in RULES if any(getattr(types, test)(kind) for test in rule.arrow)), None)
    if rule is None or rule.kept is None:
        return None
    return kind if rule.kept == "same" else named_type(rule.kept)


def named_type(name: str) -> pa.DataType:
    """Return the type of a name, as declarations and commits have it; the inverse of `type_name`."""
    import pyarrow as pa

    if digits := DECIMAL.fullmatch(name):
        return pa.decimal128(int(digits[1]), int(digits[2]))
    return _named()[name]


def type_name(kind: pa.DataType) -> str:
    """Return the name of a type of the lake."""
    import pyarrow as pa

    if pa.types.is_decimal(kind):
        return f"decimal({kind.precision},{kind.scale})"
    return next(name for name, named in _named().items() if named == kind)


def _named() -> dict[str, pa.DataType]:
    import pyarrow as pa

    declared = (
        *(pa.bool_(), pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.float32(), pa.float64()),
        *(pa.string(), pa.binary(), pa.date32(), pa.timestamp("us", "UTC")),
    )
    return {**dict(zip(NAMES, declared, strict=True)), "timestamp without zone": pa.timestamp("us"), "none": pa.null()}


def held(rows: pa.Table, table: str) -> pa.Table:
    """Bring rows to the types of the lake; every value stays what it is, and a column of NaN alone has none.

    Args:
        rows: The rows.
        table: Its name, for errors.

    Raises:
        DataError: The lake has no such type, or a value is beyond it.
    """
    import pyarrow as pa

    for place, field in enumerate(rows.schema):
        column, wanted = rows.column(place), lake_type(field.type)
        nothing = has_no_value(column)
        if wanted is None and nothing:
            wanted = pa.null()
        if wanted is None:
            raise _cannot_hold(table, field)
        if field.type != wanted or nothing:
            kept = pa.chunked_array([pa.nulls(len(column), wanted)]) if nothing else exactly(column, wanted)
            if kept is None:
                raise _beyond(table, field, wanted)
            rows = rows.set_column(place, pa.field(field.name, wanted), kept)
    return rows


def declared(rows: pa.Table, columns: Mapping[str, str], table: str) -> pa.Table:
    """Bring columns to the types that the pipeline declares for them; every value stays what it is.

    Args:
        rows: The rows, in the types of the lake.
        columns: Names of types by column; a column that the rows do not have is left out.
        table: The name of the table, for errors.

    Raises:
        DataError: A value is not exactly representable in the declared type.
    """
    import pyarrow as pa

    for name in (name for name in rows.column_names if name in columns):
        place, wanted = rows.column_names.index(name), named_type(columns[name])
        column = rows.column(place)
        written = pa.types.is_floating(column.type) and pa.types.is_decimal(wanted) and not has_no_value(column)
        kept = as_decimals(column, wanted) if written else exactly(column, wanted)
        if kept is None:
            raise DataError(
                "A column has values that its declared type cannot hold as they are.",
                where=f"table {table}, column {name}",
                found=str(rows.schema.field(name).type),
                expected=columns[name],
                do=f"correct the source, or `tables.{table}.columns.{name}`",
            )
        rows = rows.set_column(place, pa.field(name, wanted), kept)
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


def _beyond(table: str, field: pa.Field, wanted: pa.DataType) -> DataError:
    return DataError(
        "A column has values that would become others in the lake.",
        where=f"table {table}, column {field.name}",
        found=str(field.type),
        expected=str(wanted),
        do="bring the values to that type in the source",
    )
