"""The online store in a SQLite file: one writer at a time, and nothing to run."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from feast import RepoConfig
from feast.repo_config import FeastConfigBaseModel

from airloom.core.errors import Unavailable
from airloom.core.failpoints import failpoint
from airloom.core.failures import words
from airloom.stores.online import BUSY_SECONDS, Found, GuardedOnlineStore, Row

_KEYS_A_QUERY = 500

_TABLES = """
CREATE TABLE IF NOT EXISTS views (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, newest_us INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS layouts (id INTEGER PRIMARY KEY, fields TEXT NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS entities (
    view INTEGER NOT NULL, entity BLOB NOT NULL, event_us INTEGER NOT NULL, created_us INTEGER NOT NULL,
    layout INTEGER NOT NULL, features BLOB NOT NULL, PRIMARY KEY (view, entity)
) WITHOUT ROWID;
"""
_UPSERT = """
INSERT INTO entities (view, entity, event_us, created_us, layout, features) VALUES ({view}, ?, ?, ?, {layout}, ?)
ON CONFLICT (view, entity) DO UPDATE SET
    event_us = excluded.event_us, created_us = excluded.created_us,
    layout = excluded.layout, features = excluded.features
WHERE (excluded.event_us, excluded.created_us) >= (entities.event_us, entities.created_us)
"""


class GuardedSqliteOnlineStoreConfig(FeastConfigBaseModel):  # type: ignore[misc]
    """Where the online store is.

    Args:
        type: The store's class.
        path: The SQLite file.
    """

    type: Literal["airloom.stores.online_sqlite.GuardedSqliteOnlineStore"] = (
        "airloom.stores.online_sqlite.GuardedSqliteOnlineStore"
    )
    path: str


class GuardedSqliteOnlineStore(GuardedOnlineStore):
    """Keep online rows in a file of this machine."""

    @contextmanager
    def _change(self, config: RepoConfig, view: str, layout: str) -> Iterator[_SqliteChange]:
        with _transaction(config) as connection:
            yield _SqliteChange(connection, view, layout)

    def _find(self, config: RepoConfig, view: str, entities: Sequence[bytes]) -> tuple[int, dict[bytes, Found]]:
        with _open(config) as connection:
            # All of one moment, also when the keys take several queries.
            connection.execute("BEGIN")
            known = connection.execute("SELECT id, newest_us FROM views WHERE name = ?", (view,)).fetchone()
            return (known[1], dict(_rows(connection, known[0], entities))) if known else (0, {})

    def _forget(self, config: RepoConfig, views: Sequence[str]) -> None:
        with _transaction(config) as connection:
            for view in views:
                connection.execute("DELETE FROM entities WHERE view = (SELECT id FROM views WHERE name = ?)", (view,))
                connection.execute("DELETE FROM views WHERE name = ?", (view,))


class _SqliteChange:
    """A change of a view within the file's one write transaction."""

    def __init__(self, connection: sqlite3.Connection, view: str, layout: str) -> None:
        self._connection = connection
        connection.execute("INSERT INTO views (name, newest_us) VALUES (?, 0) ON CONFLICT DO NOTHING", (view,))
        connection.execute("INSERT INTO layouts (fields) VALUES (?) ON CONFLICT DO NOTHING", (layout,))
        self._view = int(connection.execute("SELECT id FROM views WHERE name = ?", (view,)).fetchone()[0])
        self._layout = int(connection.execute("SELECT id FROM layouts WHERE fields = ?", (layout,)).fetchone()[0])

    def within(self, first: int, last: int) -> Iterable[tuple[bytes, int]]:
        query = "SELECT entity, event_us FROM entities WHERE view = ? AND event_us BETWEEN ? AND ?"
        return self._connection.execute(query, (self._view, first, last))

    def remove(self, entities: Collection[bytes]) -> None:
        keys = ((self._view, entity) for entity in entities)
        self._connection.executemany("DELETE FROM entities WHERE view = ? AND entity = ?", keys)

    def put(self, rows: Sequence[Row]) -> None:
        self._connection.executemany(_UPSERT.format(view=self._view, layout=self._layout), rows)
        newest = max((row.event for row in rows), default=0)
        self._connection.execute("UPDATE views SET newest_us = max(newest_us, ?) WHERE id = ?", (newest, self._view))

    def recede(self, newest: int) -> None:
        self._connection.execute("UPDATE views SET newest_us = ? WHERE id = ?", (newest, self._view))


@contextmanager
def _open(config: RepoConfig) -> Iterator[sqlite3.Connection]:
    """Open the file for one operation: connections must not be carried over a fork or between threads."""
    path = Path(config.online_store.path)
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        if connection.execute("SELECT count(*) FROM sqlite_master WHERE type = 'table'").fetchone()[0] == 0:
            connection.executescript(f"BEGIN IMMEDIATE; {_TABLES} COMMIT;")
        yield connection
    except sqlite3.DatabaseError as error:
        raise Unavailable(
            "The online store cannot be used.",
            where=str(path),
            found=words(error),
            do="if it is locked, wait for the other writer and run again",
        ) from error
    finally:
        connection.close()


@contextmanager
def _transaction(config: RepoConfig) -> Iterator[sqlite3.Connection]:
    with _open(config) as connection:
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield connection
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        failpoint("online.before_commit")
        connection.execute("COMMIT")
        failpoint("online.after_commit")


def _rows(connection: sqlite3.Connection, view: int, entities: Sequence[bytes]) -> Iterator[tuple[bytes, Found]]:
    for start in range(0, len(entities), _KEYS_A_QUERY):
        some = entities[start : start + _KEYS_A_QUERY]
        marks = ", ".join("?" * len(some))
        query = f"""
            SELECT entity, event_us, fields, features FROM entities JOIN layouts ON layouts.id = entities.layout
            WHERE view = ? AND entity IN ({marks})
        """  # noqa: S608
        for entity, *found in connection.execute(query, (view, *some)):
            yield entity, Found(*found)
