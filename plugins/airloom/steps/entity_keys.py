"""Makes sure that rows can be found: one row for each key; of a feature view, of a type that can be matched."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from airloom.core.errors import DataError, DeclarationError
from airloom.core.wording import counted

if TYPE_CHECKING:
    import pyarrow as pa

#: The types of a view's column that an entity of a Feast type is found by; of all others none is found.
_KINDS = {"STRING": "text", "INT64": "a whole number", "INT32": "a whole number"}

Keys = dict[str, str]


def require_row_keys(table: str, key: Sequence[str], rows: pa.Table) -> None:
    """Make sure that the key of a table identifies its rows, of whatever type it is.

    Args:
        table: The table.
        key: The columns of its key.
        rows: Its rows of one day.

    Raises:
        DataError: A key is null, or has several rows.
    """
    import pyarrow.compute as pc

    nulls = [name for name in key if pc.any(rows[name].is_null()).as_py()]
    distinct = rows.group_by(list(key)).aggregate([]).num_rows
    if nulls or distinct < rows.num_rows:
        raise DataError(
            f"The key of {table} does not identify its rows.",
            where=f"table {table}, column {', '.join(key)}",
            found=f"null in {', '.join(nulls)}" if nulls else f"{rows.num_rows - distinct} rows with a key seen before",
            expected="one row for each key",
            do="let a critical expectation hold such rows back, or correct the key in pipeline.yaml",
        )


def require_entity_keys(view: str, keys: Keys, rows: pa.Table, where: str) -> None:
    """Make sure that each key has one row, and that it can be matched.

    A row without a key is kept and matches nothing, neither offline nor online, as a row that is scored without one.

    Args:
        view: The view.
        keys: Its join keys with their Feast types.
        rows: Its rows of one day.
        where: The file of its SQL, for an error.

    Raises:
        DeclarationError: The SQL does not give a key.
        DataError: A key is neither text nor a whole number, or another one than the entity's, or it has several rows.
    """
    if not rows.num_rows:
        return
    missing = [name for name in keys if name not in rows.column_names]
    if missing:
        raise DeclarationError(
            f"The SQL of the feature view {view} does not give the keys of its entities.",
            where=where,
            found=", ".join(rows.column_names),
            expected=", ".join(missing),
            do="select the join keys of the view's Feast entities",
        )
    for name, declared in keys.items():
        _require_matchable(view, rows.schema.field(name), declared, where)
    present = rows.select(list(keys)).drop_null()
    repeated = present.num_rows - present.group_by(list(keys)).aggregate([]).num_rows
    if repeated:
        raise DataError(
            f"The feature view {view} has several rows for an entity.",
            where=f"{where}, {', '.join(keys)}",
            found=f"{counted(repeated, 'row')} with a key seen before, of {rows.num_rows:,}",
            expected="one row for each key",
            do=f"GROUP BY {', '.join(keys)}, or correct the join that repeats rows",
        )


def _require_matchable(view: str, field: pa.Field, declared: str, where: str) -> None:
    import pyarrow as pa

    kinds = {"text": pa.types.is_string(field.type), "a whole number": pa.types.is_integer(field.type)}
    found = next((kind for kind, fits in kinds.items() if fits), None)
    if found is None or _KINDS.get(declared, found) != found:
        raise DataError(
            f"A key of the feature view {view} cannot be matched.",
            where=f"{where}, column {field.name}",
            found=str(field.type),
            expected=_KINDS.get(declared, "text or a whole number") + f", for an entity of type {declared}",
            do="cast it in the SQL and in the table of the scored rows, for example CAST(day AS DATE)::VARCHAR",
        )
