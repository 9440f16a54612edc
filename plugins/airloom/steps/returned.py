"""What a source may return for a table: frames of several libraries, as columns of Arrow with the values as given."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from airloom.core.errors import DataError

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa


def columns_of(table: str, returned: Any, source: str) -> list[tuple[str, pa.ChunkedArray]]:
    """Return the columns of what a source has returned, by name; two of them may have the same.

    Args:
        table: The table's name.
        returned: A DataFrame of pandas; anything of Arrow, or that gives itself as Arrow, as polars and DuckDB do; a
            list of dictionaries; a list or an iterator of any of these but dictionaries, which are put together.
        source: The source, for errors.

    Raises:
        DataError: It is something else, or a column mixes values of different types.
    """
    import pandas as pd

    if isinstance(returned, pd.DataFrame):
        return [(str(name), _array(table, str(name), returned.iloc[:, place])) for place, name in enumerate(returned)]
    rows = _arrow(table, returned, source)
    return [(name, _missing(column)) for name, column in zip(rows.column_names, rows.columns, strict=True)]


def _missing(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return a column whose NaN are missing, as they are in a DataFrame."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not pa.types.is_floating(column.type):
        return column
    return pc.if_else(pc.is_nan(column), pa.scalar(None, column.type), column)


def _arrow(table: str, returned: Any, source: str) -> pa.Table:
    import pandas as pd
    import pyarrow as pa

    if isinstance(returned, pa.Table):
        return returned
    if hasattr(returned, "__arrow_c_stream__") and not isinstance(returned, pd.Series):
        return pa.table(returned)
    if isinstance(returned, pa.RecordBatch):
        return pa.Table.from_batches([returned])
    if isinstance(returned, list) and all(isinstance(row, Mapping) for row in returned):
        # Rows may lack keys; the order of the fullest does not depend on which comes first.
        fullest: Mapping[Any, Any] = max(returned, key=len, default={})
        names = dict.fromkeys([*fullest, *(name for row in returned for name in row)])
        return pa.table({str(name): _array(table, str(name), [row.get(name) for row in returned]) for name in names})
    if isinstance(returned, list | tuple | Iterator):
        return _together(table, [pa.table(dict(columns_of(table, each, source))) for each in returned])
    raise DataError(
        f"The source returned no rows of {table} that can be read.",
        where=source,
        found=type(returned).__name__,
        expected="a DataFrame of pandas or polars, a table of Arrow, a list of dictionaries, or an iterator of frames",
        do="collect a lazy frame in the source" if hasattr(returned, "collect") else "convert it in the source",
    )


def _together(table: str, frames: list[pa.Table]) -> pa.Table:
    """Put frames together; a column may be missing or without values in some."""
    import pyarrow as pa

    try:
        return pa.concat_tables(frames, promote_options="default") if frames else pa.table({})
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        types: dict[str, set[str]] = {}
        for frame in frames:
            for field in frame.schema:
                types.setdefault(field.name, set()).add(str(field.type))
        mixed = {name: sorted(found) for name, found in types.items() if len(found - {"null"}) > 1}
        raise DataError(
            "The frames of a table differ in the types of their columns.",
            where=f"table {table}, column {', '.join(mixed)}",
            found="; ".join(", ".join(found) for found in mixed.values()),
            expected="one type for each column",
            do="bring the values to one type in the source",
        ) from None


def _array(table: str, column: str, values: pd.Series | list[Any]) -> pa.ChunkedArray:
    import pandas as pd
    import pyarrow as pa

    try:
        if isinstance(values, list):
            return pa.chunked_array([pa.array(values, from_pandas=True)])
        return pa.chunked_array([pa.Array.from_pandas(values)])
    except (ValueError, TypeError, NotImplementedError, OverflowError):
        given = pd.Series(values, dtype=object).dropna()
        found = sorted({type(value).__name__ for value in given})
        raise DataError(
            "A column mixes values of different types." if len(found) > 1 else "A column has values without a type.",
            where=f"table {table}, column {column}",
            found=", ".join(found) or str(getattr(values, "dtype", "")),
            expected="one type that the lake can hold",
            do="bring the values to one type in the source, such as text",
        ) from None
