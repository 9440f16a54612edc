"""The online store: one row an entity in SQLite, never replaced by an older one."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc
from feast import Entity, FeatureView, RepoConfig
from feast.infra.key_encoding_utils import serialize_entity_key
from feast.infra.online_stores.online_store import OnlineStore
from feast.protos.feast.types.EntityKey_pb2 import EntityKey
from feast.protos.feast.types.Value_pb2 import Value as ValueProto
from feast.repo_config import FeastConfigBaseModel

from airloom.core.errors import SetupError
from airloom.core.failpoints import failpoint
from airloom.stores.online_rows import Layout, encode_keys
from airloom.stores.point_in_time import AS_OF, KNOWN_AT

_BUSY_SECONDS = 30
_KEYS_A_QUERY = 500
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

_TABLES = """
CREATE TABLE IF NOT EXISTS views (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, newest_us INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS layouts (id INTEGER PRIMARY KEY, fields TEXT NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS entities (
    view INTEGER NOT NULL, entity BLOB NOT NULL, event_us INTEGER NOT NULL, created_us INTEGER NOT NULL,
    layout INTEGER NOT NULL, features BLOB NOT NULL, PRIMARY KEY (view, entity)
) WITHOUT ROWID;
"""
# A later event time wins; at the same one, what became known later or is written later: a correction.
_UPSERT = """
INSERT INTO entities (view, entity, event_us, created_us, layout, features) VALUES ({view}, ?, ?, ?, {layout}, ?)
ON CONFLICT (view, entity) DO UPDATE SET
    event_us = excluded.event_us, created_us = excluded.created_us,
    layout = excluded.layout, features = excluded.features
WHERE (excluded.event_us, excluded.created_us) >= (entities.event_us, entities.created_us)
"""

#: Entity key, event time, time at which it was known, features.
_Row = tuple[bytes, int, int, bytes]


class GuardedSqliteOnlineStoreConfig(FeastConfigBaseModel):  # type: ignore[misc]
    """Where the online store is.

    Args:
        type: The store's class.
        path: The SQLite file.
    """

    type: Literal["airloom.stores.online.GuardedSqliteOnlineStore"] = "airloom.stores.online.GuardedSqliteOnlineStore"
    path: str


class GuardedSqliteOnlineStore(OnlineStore):  # type: ignore[misc]
    """Keep the newest features of every entity, whatever the order in which days are materialized.

    A feature is as good as missing when it is older than the view's TTL, counted from the newest event time that was
    materialized for the view: the same as the offline join answers for that moment.
    """

    def online_write_batch(
        self,
        config: RepoConfig,
        table: FeatureView,
        data: list[tuple[EntityKey, dict[str, ValueProto], datetime, datetime | None]],
        progress: Callable[[int], Any] | None,
    ) -> None:
        """Write rows given as Feast's values, in one transaction."""
        layout = Layout.of(table.name, table.features)
        blobs = layout.encode_protos(features for _, features, _, _ in data)
        rows = [
            (serialize_entity_key(key), _microseconds(event), _microseconds(created or event), blob)
            for (key, _, event, created), blob in zip(data, blobs, strict=True)
        ]
        with _transaction(config) as connection:
            _upsert(connection, _view_id(connection, config, table), _layout_id(connection, layout), rows)
        if progress:
            progress(len(rows))

    def replace_window(
        self,
        config: RepoConfig,
        view: FeatureView,
        window: tuple[datetime, datetime],
        pull: Callable[[datetime, datetime], pa.Table],
    ) -> int:
        """Make the online rows of a window of event times what the lake says, in one transaction.

        The lake is read under the write lock, so that of two writers the one that writes last has also read last.
        An entity whose row in the window is no longer in the lake gets its newest earlier row back.

        Args:
            config: Feast's configuration.
            view: The feature view.
            window: First and last event time, both included.
            pull: Returns every entity's newest row between two event times.

        Returns:
            How many entities the window has.
        """
        layout = Layout.of(view.name, view.features)
        first, last = window
        with _transaction(config) as connection:
            view_id, layout_id = _view_id(connection, config, view), _layout_id(connection, layout)
            rows = _encode(pull(first, last), view, layout)
            gone = _remove_superseded(connection, view_id, window, rows)
            failpoint("online.after_remove")
            _upsert(connection, view_id, layout_id, rows)
            if gone:
                earlier = _encode(pull(_EPOCH, first - _MICROSECOND), view, layout)
                _upsert(connection, view_id, layout_id, [row for row in earlier if row[0] in gone])
        return len(rows)

    def online_read(
        self,
        config: RepoConfig,
        table: FeatureView,
        entity_keys: list[EntityKey],
        requested_features: list[str] | None = None,
    ) -> list[tuple[datetime | None, dict[str, ValueProto] | None]]:
        """Read the features of entities; unknown, expired and missing ones are `(None, None)`."""
        keys = [_key(entity) for entity in entity_keys]
        with _open(config) as connection:
            found = _read(connection, _name(config, table), [key for key in keys if key], table.ttl)
            layouts = _layouts(connection, {layout for _, layout, _ in found.values()})
        wanted = requested_features or [field.name for field in table.features]
        return [_answer(found.get(key), layouts, wanted) if key else (None, None) for key in keys]

    def update(
        self,
        config: RepoConfig,
        tables_to_delete: Sequence[FeatureView],
        tables_to_keep: Sequence[FeatureView],
        entities_to_delete: Sequence[Entity],
        entities_to_keep: Sequence[Entity],
        partial: bool,
    ) -> None:
        """Create the file and refuse features that it cannot keep; forget views that are no longer defined."""
        for view in tables_to_keep:
            Layout.of(view.name, view.features)
        with _transaction(config) as connection:
            _forget(connection, config, tables_to_delete)

    def teardown(self, config: RepoConfig, tables: Sequence[FeatureView], entities: Sequence[Entity]) -> None:
        """Forget every row of some views."""
        with _transaction(config) as connection:
            _forget(connection, config, tables)


@contextmanager
def _open(config: RepoConfig) -> Iterator[sqlite3.Connection]:
    """Open the file for one operation: connections must not be carried over a fork or between threads."""
    path = Path(config.online_store.path)
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        if connection.execute("SELECT count(*) FROM sqlite_master WHERE type = 'table'").fetchone()[0] == 0:
            connection.executescript(f"BEGIN IMMEDIATE; {_TABLES} COMMIT;")
        yield connection
    except sqlite3.DatabaseError as error:
        raise SetupError(
            "The online store cannot be used.",
            where=str(path),
            found=str(error),
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


def _name(config: RepoConfig, view: FeatureView) -> str:
    return f"{config.project}.{view.name}"


def _view_id(connection: sqlite3.Connection, config: RepoConfig, view: FeatureView) -> int:
    name = _name(config, view)
    connection.execute("INSERT INTO views (name, newest_us) VALUES (?, 0) ON CONFLICT DO NOTHING", (name,))
    return int(connection.execute("SELECT id FROM views WHERE name = ?", (name,)).fetchone()[0])


def _layout_id(connection: sqlite3.Connection, layout: Layout) -> int:
    fields = json.dumps(layout.fields)
    connection.execute("INSERT INTO layouts (fields) VALUES (?) ON CONFLICT DO NOTHING", (fields,))
    return int(connection.execute("SELECT id FROM layouts WHERE fields = ?", (fields,)).fetchone()[0])


def _layouts(connection: sqlite3.Connection, ids: Iterable[int]) -> dict[int, Layout]:
    marks = {each: connection.execute("SELECT fields FROM layouts WHERE id = ?", (each,)).fetchone() for each in ids}
    return {each: Layout(tuple((name, kind) for name, kind in json.loads(row[0]))) for each, row in marks.items()}


def _encode(rows: pa.Table, view: FeatureView, layout: Layout) -> list[_Row]:
    """Return the rows in the order of their keys, as the table keeps them; a row without a key cannot be found."""
    for field in view.entity_columns:
        rows = rows.filter(pc.is_valid(rows.column(field.name)))
    events, known = (
        rows.column(name).cast(pa.timestamp("us", "UTC")).cast(pa.int64()).to_pylist() for name in (AS_OF, KNOWN_AT)
    )
    return sorted(zip(encode_keys(rows, view.entity_columns), events, known, layout.encode(rows), strict=True))


def _upsert(connection: sqlite3.Connection, view: int, layout: int, rows: Sequence[_Row]) -> None:
    connection.executemany(_UPSERT.format(view=view, layout=layout), rows)
    newest = max((event for _, event, _, _ in rows), default=0)
    connection.execute("UPDATE views SET newest_us = max(newest_us, ?) WHERE id = ?", (newest, view))


def _remove_superseded(
    connection: sqlite3.Connection, view: int, window: tuple[datetime, datetime], rows: Sequence[_Row]
) -> set[bytes]:
    """Remove rows of a window that the lake no longer has; return the entities that are left without any."""
    bounds = (view, *(_microseconds(moment) for moment in window))
    query = "SELECT entity, event_us FROM entities WHERE view = ? AND event_us BETWEEN ? AND ?"
    superseded = set(connection.execute(query, bounds))
    if not superseded:
        return set()
    superseded.difference_update((entity, event) for entity, event, _, _ in rows)
    connection.executemany(
        "DELETE FROM entities WHERE view = ? AND entity = ?", ((view, entity) for entity, _ in superseded)
    )
    return {entity for entity, _ in superseded}.difference(entity for entity, _, _, _ in rows)


def _forget(connection: sqlite3.Connection, config: RepoConfig, views: Iterable[FeatureView]) -> None:
    for view in views:
        name = (_name(config, view),)
        connection.execute("DELETE FROM entities WHERE view = (SELECT id FROM views WHERE name = ?)", name)
        connection.execute("DELETE FROM views WHERE name = ?", name)


def _read(
    connection: sqlite3.Connection, view: str, keys: Sequence[bytes], ttl: timedelta | None
) -> dict[bytes, tuple[int, int, bytes]]:
    """Return event time, layout and features of the entities that are there and not expired."""
    known = connection.execute("SELECT id, newest_us FROM views WHERE name = ?", (view,)).fetchone()
    if known is None:
        return {}
    view_id, newest = known
    oldest = newest - ttl // _MICROSECOND if ttl else 0
    found = {}
    for start in range(0, len(keys), _KEYS_A_QUERY):
        some = keys[start : start + _KEYS_A_QUERY]
        marks = ", ".join("?" * len(some))
        query = f"SELECT entity, event_us, layout, features FROM entities WHERE view = ? AND entity IN ({marks})"  # noqa: S608
        for entity, event, layout, features in connection.execute(query, (view_id, *some)):
            if event >= oldest:
                found[entity] = (event, layout, features)
    return found


def _answer(
    row: tuple[int, int, bytes] | None, layouts: dict[int, Layout], wanted: Sequence[str]
) -> tuple[datetime | None, dict[str, ValueProto] | None]:
    if row is None:
        return None, None
    event, layout, blob = row
    return _EPOCH + timedelta(microseconds=event), layouts[layout].decode(blob, wanted)


def _key(entity: EntityKey) -> bytes | None:
    """Return the entity's serialised key, None when a part of it is missing."""
    if any(value.WhichOneof("val") is None for value in entity.entity_values):
        return None
    key: bytes = serialize_entity_key(entity)
    return key


def _microseconds(moment: datetime) -> int:
    """Return a moment as the store keeps it; Feast's contract is that a naive one is UTC."""
    aware = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    return (aware - _EPOCH) // _MICROSECOND
