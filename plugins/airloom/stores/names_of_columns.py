"""Which names columns of rows may have in a table of the lake, given those that it has."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from airloom.core.errors import DataError, Unavailable
from airloom.core.reserved import PREFIX
from airloom.stores.partition_columns import PARTITION_COLUMNS
from airloom.stores.table_log import table_partition_columns, table_schema

if TYPE_CHECKING:
    from deltalake import DeltaTable


def require_names(table: str, delta: DeltaTable | None, columns: Collection[str]) -> None:
    """Make sure that a table can have rows with columns of these names.

    Args:
        table: Its name, for an error.
        delta: The table as it is, None where there is none.
        columns: The columns of the rows.

    Raises:
        DataError: A name is the table's own, or differs from one of the table in capitals only.
        Unavailable: The columns were renamed since the writer has looked.
    """
    known = table_schema(delta).names
    require_free(table, table_partition_columns(delta), columns)
    _require_tellable(table, known, columns)
    _require_not_renamed(table, known, columns)


def require_free(table: str, ours: Collection[str], columns: Collection[str]) -> None:
    """Refuse columns by which a table of an earlier version describes its partitions.

    Args:
        table: Its name, for an error.
        ours: The table's columns that describe partitions.
        columns: The columns of a user's.

    Raises:
        DataError: Some of them are the table's own.
    """
    taken = [name for name in columns if name in ours and name not in PARTITION_COLUMNS]
    if taken:
        raise DataError(
            f"The table {table} was made by an earlier version and has columns of its own by these names.",
            where=f"table {table}, column {', '.join(taken)}",
            found=", ".join(taken),
            expected=f"other names than {', '.join(ours)}",
            do="rename them in the source or the SQL, or publish them as a table of another name: a new one takes them",
        )


def _require_tellable(table: str, known: Collection[str], found: Collection[str]) -> None:
    """Refuse new columns that SQL could not tell from those that the table has."""
    folded = {name.casefold(): name for name in known}
    for name in found:
        if name not in known and name.casefold() in folded:
            raise DataError(
                "A new column differs from one of the table in capitals only.",
                where=f"table {table}, column {name}",
                found=name,
                expected=folded[name.casefold()],
                do="give it the same name as before, or another one, in the source",
            )


def _require_not_renamed(table: str, known: Collection[str], found: Collection[str]) -> None:
    """Refuse rows of a writer that has looked at a table before its columns were renamed."""
    if found and _has_prefix(known) and not _has_prefix(found):
        raise Unavailable(
            f"The columns of {table} were renamed meanwhile.",
            found=f"no column that begins with {PREFIX}",
            do="run the stage for this day again",
        )


def _has_prefix(names: Collection[str]) -> bool:
    return any(name.startswith(PREFIX) for name in names)
