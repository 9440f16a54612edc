"""Rows of one database into another: one that is there must say the same, and none is ever replaced."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any

from airloom.core.errors import DataError
from airloom.stores.database import without_password
from airloom.stores.state import in_utc

if TYPE_CHECKING:
    from sqlalchemy import Connection, RowMapping, Table

Row = dict[str, Any]

_BATCH = 500


def copy_rows(
    source: Connection, target: Connection, table: Table, change: Callable[[Row], Row | None] = lambda row: row
) -> int:
    """Add the rows that the target lacks; nothing is committed.

    Args:
        source: Where the rows are.
        target: Where they are to be.
        table: The table, which has a primary key and is in both.
        change: Says what a row is there, None for one that stays behind.

    Returns:
        How many rows were added.

    Raises:
        DataError: The target has a row of the same key, or of the same unique name, that says something else.
    """
    from sqlalchemy.exc import IntegrityError

    added = 0
    for rows in missing_rows(source, target, table, change):
        try:
            target.execute(table.insert(), rows)
        except IntegrityError as error:
            raise _taken(target, table, " ".join(str(error.orig).split())) from error
        added += len(rows)
    return added


def missing_rows(
    source: Connection, target: Connection, table: Table, change: Callable[[Row], Row | None] = lambda row: row
) -> Iterator[list[Row]]:
    """Yield, some at a time, the rows that the target lacks; arguments and errors are those of `copy_rows`."""
    for batch in _batches(source, table):
        rows = [changed for row in batch if (changed := change(row)) is not None]
        there = _there(target, table, rows)
        missing = []
        for row in rows:
            known = there.get(_key(table, row))
            if known is None:
                missing.append(row)
            elif known != row:
                raise _differs(target, table, row, known)
        if missing:
            yield missing


def count_rows(connection: Connection, table: Table) -> int:
    """Return how many rows a table has."""
    from sqlalchemy import func, select

    return connection.scalar(select(func.count()).select_from(table)) or 0


def _batches(source: Connection, table: Table) -> Iterator[list[Row]]:
    found = source.execution_options(yield_per=_BATCH).execute(table.select()).mappings()
    while batch := [_in_utc(row) for row in islice(found, _BATCH)]:
        yield batch


def _there(target: Connection, table: Table, rows: list[Row]) -> dict[tuple[Any, ...], Row]:
    """Return the target's rows that have the keys of some rows."""
    from sqlalchemy import tuple_

    if not rows:
        return {}
    keys = tuple_(*table.primary_key).in_([_key(table, row) for row in rows])
    found = (_in_utc(row) for row in target.execute(table.select().where(keys)).mappings())
    return {_key(table, row): row for row in found}


def _key(table: Table, row: Row) -> tuple[Any, ...]:
    return tuple(row[column.name] for column in table.primary_key)


def _in_utc(row: RowMapping) -> Row:
    return {str(name): in_utc(value) for name, value in row.items()}


def _differs(target: Connection, table: Table, row: Row, known: Row) -> DataError:
    key = ", ".join(f"{column.name} {row[column.name]}" for column in table.primary_key)
    return _taken(
        target, table, f"{key}, which differs in {', '.join(name for name in row if known[name] != row[name])}"
    )


def _taken(target: Connection, table: Table, found: str) -> DataError:
    return DataError(
        "There is already something else of the same name; nothing was copied into the database.",
        where=f"{table.name} in {without_password(target.engine.url)}",
        found=found,
        expected="databases in which these pipelines have not run yet",
        do="import before the first run there, into empty databases",
    )
