"""The online store in PostgreSQL: one transaction a change, rows brought by COPY and merged by one statement."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal, LiteralString

import psycopg
from feast import RepoConfig
from feast.repo_config import FeastConfigBaseModel
from psycopg.conninfo import conninfo_to_dict
from pydantic import SecretStr

from airloom.core.errors import SetupError, Unavailable
from airloom.core.failpoints import failpoint
from airloom.core.failures import words
from airloom.core.urls import without_credentials
from airloom.stores.database import libpq_options
from airloom.stores.online import BUSY_SECONDS, Found, GuardedOnlineStore, Row

#: A writer that stands still for so long, inside a transaction or a statement, loses them, and the lock with them.
_STALLED_SECONDS = 600
_thread = threading.local()

_TABLES = """
CREATE TABLE IF NOT EXISTS airloom_online_views (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL UNIQUE, newest_us bigint NOT NULL
);
CREATE TABLE IF NOT EXISTS airloom_online_layouts (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, fields text NOT NULL UNIQUE
);
CREATE TABLE IF NOT EXISTS airloom_online_entities (
    view integer NOT NULL, entity bytea NOT NULL, event_us bigint NOT NULL, created_us bigint NOT NULL,
    layout integer NOT NULL, features bytea NOT NULL, PRIMARY KEY (view, entity)
);
"""
_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('airloom.online.' || %s, 0))"
_INCOMING = """
CREATE TEMPORARY TABLE airloom_incoming (entity bytea, event_us bigint, created_us bigint, features bytea)
ON COMMIT DROP
"""
_MERGE = """
INSERT INTO airloom_online_entities AS kept (view, entity, event_us, created_us, layout, features)
SELECT %s, entity, event_us, created_us, %s, features FROM pg_temp.airloom_incoming
ON CONFLICT (view, entity) DO UPDATE SET
    event_us = excluded.event_us, created_us = excluded.created_us,
    layout = excluded.layout, features = excluded.features
WHERE (excluded.event_us, excluded.created_us) >= (kept.event_us, kept.created_us)
"""
_FIND = """
SELECT newest_us, entity, event_us, fields, features
FROM airloom_online_views AS views
JOIN airloom_online_entities AS entities ON entities.view = views.id
JOIN airloom_online_layouts AS layouts ON layouts.id = entities.layout
WHERE views.name = %s AND entities.entity = ANY(%s)
"""
_FORGET = """
WITH forgotten AS (DELETE FROM airloom_online_views WHERE name = %s RETURNING id)
DELETE FROM airloom_online_entities WHERE view IN (SELECT id FROM forgotten)
"""


class GuardedPostgresOnlineStoreConfig(FeastConfigBaseModel):  # type: ignore[misc]
    """Where the online store is.

    Args:
        type: The store's class.
        url: URL of the database, with its credentials.
    """

    type: Literal["airloom.stores.online_postgres.GuardedPostgresOnlineStore"] = (
        "airloom.stores.online_postgres.GuardedPostgresOnlineStore"
    )
    url: SecretStr


class GuardedPostgresOnlineStore(GuardedOnlineStore):
    """Keep online rows in three tables of a database, which may be the one of the state too."""

    @contextmanager
    def _change(self, config: RepoConfig, view: str, layout: str) -> Iterator[_PostgresChange]:
        with _open(config) as connection:
            _prepare(connection)
            # Committed by itself: views with the same layout must not wait for one another.
            number = _number(connection, "airloom_online_layouts (fields) VALUES (%s)", "fields", layout)
            with _transaction(connection):
                yield _PostgresChange(connection, view, number)

    def _find(self, config: RepoConfig, view: str, entities: Sequence[bytes]) -> tuple[int, dict[bytes, Found]]:
        with _told(config) as url:
            try:
                rows = _read(url, _FIND, (view, list(entities)))
            except psycopg.errors.UndefinedTable:
                rows = []
        return (rows[0][0] if rows else 0), {entity: Found(*found) for _, entity, *found in rows}

    def _forget(self, config: RepoConfig, views: Sequence[str]) -> None:
        with _open(config) as connection:
            _prepare(connection)
            with _transaction(connection):
                for view in sorted(views):
                    connection.execute(_LOCK, (view,))
                    connection.execute(_FORGET, (view,))


class _PostgresChange:
    """A change of a view within one transaction, under the view's lock."""

    def __init__(self, connection: psycopg.Connection, view: str, layout: int) -> None:
        self._connection, self._layout = connection, layout
        connection.execute(_LOCK, (view,))
        self._view = _number(connection, "airloom_online_views (name, newest_us) VALUES (%s, 0)", "name", view)

    def within(self, first: int, last: int) -> Iterable[tuple[bytes, int]]:
        query = "SELECT entity, event_us FROM airloom_online_entities WHERE view = %s AND event_us BETWEEN %s AND %s"
        return self._connection.cursor(binary=True).execute(query, (self._view, first, last))

    def remove(self, entities: Collection[bytes]) -> None:
        query = "DELETE FROM airloom_online_entities WHERE view = %s AND entity = ANY(%s)"
        self._connection.execute(query, (self._view, list(entities)))

    def put(self, rows: Sequence[Row]) -> None:
        self._connection.execute(_INCOMING)
        cursor = self._connection.cursor()
        with cursor.copy("COPY pg_temp.airloom_incoming FROM STDIN (FORMAT BINARY)") as copy:
            copy.set_types(["bytea", "int8", "int8", "bytea"])
            for row in rows:
                copy.write_row(row)
        self._connection.execute(_MERGE, (self._view, self._layout))
        self._connection.execute("DROP TABLE pg_temp.airloom_incoming")
        newest = max((row.event for row in rows), default=0)
        query = "UPDATE airloom_online_views SET newest_us = %s WHERE id = %s AND newest_us < %s"
        self._connection.execute(query, (newest, self._view, newest))

    def recede(self, newest: int) -> None:
        query = "UPDATE airloom_online_views SET newest_us = %s WHERE id = %s"
        self._connection.execute(query, (newest, self._view))


def _number(connection: psycopg.Connection, insert: str, column: str, value: str) -> int:
    """Return the id of a row that names something; it is made when it is missing."""
    table = insert.partition(" ")[0]
    query = f"SELECT id FROM {table} WHERE {column} = %s"  # noqa: S608
    found = connection.execute(query, (value,)).fetchone()
    if found is None:
        # Every attempt takes a number of the table's sequence, which has an end, also where there is a row.
        connection.execute(f"INSERT INTO {insert} ON CONFLICT DO NOTHING", (value,))
        found = connection.execute(query, (value,)).fetchone()
    return int(found[0])  # type: ignore[index]


class _Reader(psycopg.Connection[Any]):
    """A connection that one thread keeps for its reads; it ends with the thread, and a fork leaves it alone."""

    process = 0

    def __del__(self, *_: object) -> None:
        if self.process == os.getpid():
            self.close()


def _read(url: str, query: LiteralString, values: Sequence[object]) -> list[tuple[Any, ...]]:
    """Run a query on the thread's own connection, on a new one where the server has closed that meanwhile."""
    reader = _reader(url)
    try:
        return reader.cursor(binary=True).execute(query, values).fetchall()
    except psycopg.OperationalError:
        if not reader.closed:
            raise
    return _reader(url).cursor(binary=True).execute(query, values).fetchall()


def _reader(url: str) -> _Reader:
    kept: dict[tuple[int, str], _Reader] = vars(_thread).setdefault("readers", {})
    mine = os.getpid(), url
    if mine not in kept or kept[mine].closed:
        kept[mine] = _Reader.connect(**_parameters(url))
        kept[mine].process = os.getpid()
    return kept[mine]


@contextmanager
def _open(config: RepoConfig) -> Iterator[psycopg.Connection]:
    """Connect for one change: connections must not be carried over a fork or between threads."""
    with _told(config) as url, psycopg.connect(**_parameters(url)) as connection:
        yield connection


@contextmanager
def _told(config: RepoConfig) -> Iterator[str]:
    """Give the URL, and say in our words what goes wrong there."""
    url = config.online_store.url.get_secret_value()
    try:
        yield url
    except psycopg.Error as error:
        raise Unavailable(
            "The online store cannot be used.",
            where=without_credentials(url),
            found=words(error),
            do="see that the server runs and lets this user in; if another writer holds the lock, run again later",
        ) from error


@contextmanager
def _transaction(connection: psycopg.Connection) -> Iterator[None]:
    # Every statement must see what was committed while it waited for the view's lock.
    connection.execute("BEGIN ISOLATION LEVEL READ COMMITTED")
    connection.execute(f"SET LOCAL lock_timeout = '{BUSY_SECONDS}s'")
    for limit in ("idle_in_transaction_session_timeout", "statement_timeout"):
        connection.execute(f"SET LOCAL {limit} = '{_STALLED_SECONDS}s'")
    yield
    failpoint("online.before_commit")
    connection.execute("COMMIT")
    failpoint("online.after_commit")


def _prepare(connection: psycopg.Connection) -> None:
    """Make the tables where they are missing, one process at a time."""
    if connection.execute("SELECT to_regclass('airloom_online_entities')").fetchone() == (None,):
        with connection.transaction():
            connection.execute(_LOCK, ("",))
            connection.execute(_TABLES)


def _parameters(url: str) -> dict[str, Any]:
    unreadable = SetupError(
        "The URL of the online store cannot be read.",
        where=without_credentials(url),
        expected="postgresql://user:password@host:port/database, special characters of the password as %XX",
    )
    try:
        given = conninfo_to_dict(url.replace("postgresql+psycopg://", "postgresql://", 1))
    except psycopg.ProgrammingError:
        # What the driver says may quote the password.
        raise unreadable from None
    if "@" in str(given.get("host", "")) or not re.fullmatch(r"[\d,]*", str(given.get("port", ""))):
        # It begins with the end of a password, which what the driver says of it would quote.
        raise unreadable
    # Nothing is prepared: a pooler may run the next transaction in another session.
    return {
        "autocommit": True,
        "prepare_threshold": None,
        **libpq_options(),
        "application_name": "airloom",
        **given,
    }
