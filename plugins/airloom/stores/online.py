"""What all online stores share: one row an entity, never replaced by an older one, and expired by the view's TTL."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, Protocol

import pyarrow as pa
import pyarrow.compute as pc
from feast import Entity, FeatureView, RepoConfig
from feast.infra.key_encoding_utils import serialize_entity_key
from feast.infra.online_stores.online_store import OnlineStore
from feast.protos.feast.types.EntityKey_pb2 import EntityKey
from feast.protos.feast.types.Value_pb2 import Value as ValueProto

from airloom.core.failpoints import failpoint
from airloom.stores.online_rows import Layout, encode_keys
from airloom.stores.point_in_time import AS_OF, KNOWN_AT

#: How long a writer waits for another one of the same view.
BUSY_SECONDS = 30
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
#: Later than every event time, and exact in the numbers of every store.
_FOREVER = 2**53


class Row(NamedTuple):
    """One entity's row, as it is written.

    Args:
        entity: The serialised entity key.
        event: Event time in microseconds since 1970.
        known: When that became known, likewise.
        features: The features, encoded by the view's layout.
    """

    entity: bytes
    event: int
    known: int
    features: bytes


class Found(NamedTuple):
    """One entity's row, as it is read.

    Args:
        event: Event time in microseconds since 1970.
        layout: The layout that it was written under, as text.
        features: The features, encoded by that layout.
    """

    event: int
    layout: str
    features: bytes


class Change(Protocol):
    """What one writer does to one view: all of it becomes visible at once, or nothing."""

    def within(self, first: int, last: int) -> Iterable[tuple[bytes, int]]:
        """Return entity and event time of the rows between two event times, both included."""

    def remove(self, entities: Collection[bytes]) -> None:
        """Remove the rows of entities."""

    def put(self, rows: Sequence[Row]) -> None:
        """Write rows, at most one an entity, each unless a newer one is there; note the newest event time."""

    def recede(self, newest: int) -> None:
        """Note an older newest event time than the view had: its days from there on were taken back."""


class GuardedOnlineStore(OnlineStore):  # type: ignore[misc]
    """Keep the newest features of every entity, whatever the order in which days are materialized.

    A later event time wins; at the same one, what became known later or is written later: a correction. A feature is as
    good as missing when it is older than the view's TTL, counted from the newest event time that was materialized for
    the view: the same as the offline join answers for that moment.
    """

    #: Old versions of a view cannot be read. Feast would find that out by importing every store in which they can.
    _versioned_read_supported = False

    @abstractmethod
    def _change(self, config: RepoConfig, view: str, layout: str) -> AbstractContextManager[Change]:
        """Let one writer at a time change a view; what it did becomes visible when the block ends well."""

    @abstractmethod
    def _find(self, config: RepoConfig, view: str, entities: Sequence[bytes]) -> tuple[int, dict[bytes, Found]]:
        """Return the newest event time of a view, and the rows of those entities that have one."""

    @abstractmethod
    def _forget(self, config: RepoConfig, views: Sequence[str]) -> None:
        """Make sure that the store can be used; forget every row of some views."""

    def online_write_batch(
        self,
        config: RepoConfig,
        table: FeatureView,
        data: list[tuple[EntityKey, dict[str, ValueProto], datetime, datetime | None]],
        progress: Callable[[int], Any] | None,
    ) -> None:
        """Write rows given as Feast's values, all at once."""
        layout = Layout.of(table.name, table.features)
        blobs = layout.encode_protos(features for _, features, _, _ in data)
        rows = [
            Row(serialize_entity_key(key), _microseconds(event), _microseconds(created or event), blob)
            for (key, _, event, created), blob in zip(data, blobs, strict=True)
        ]
        with self._change(config, _name(config, table), layout.text) as change:
            change.put(_newest(rows))
        if progress:
            progress(len(rows))

    def replace_window(
        self,
        config: RepoConfig,
        view: FeatureView,
        window: tuple[datetime, datetime],
        pull: Callable[[datetime, datetime], pa.Table],
    ) -> int:
        """Make the online rows of a window of event times what the lake says, all at once.

        The lake is read under the view's lock, so that of two writers the one that writes last has also read last.
        An entity whose row in the window is no longer in the lake gets its newest earlier row back: the one exception
        to the rule that no row is replaced by an older one. Where the lake has nothing of the window any more, the
        view's newest event time becomes that of what is left.

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
        with self._change(config, _name(config, view), layout.text) as change:
            rows = _encode(pull(first, last), view, layout)
            there = {} if rows else dict(change.within(-_FOREVER, _FOREVER))
            gone = _remove_superseded(change, window, rows)
            failpoint("online.after_remove")
            change.put(rows)
            if gone:
                earlier = _encode(pull(_EPOCH, first - _MICROSECOND), view, layout)
                back = [row for row in earlier if row.entity in gone]
                change.put(back)
            if gone and not rows:
                # Ages are counted from the newest row: one that was taken back must not make all others too old.
                left = [event for entity, event in there.items() if entity not in gone]
                change.recede(max([*left, *(row.event for row in back)], default=0))
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
        newest, found = self._find(config, _name(config, table), list({key for key in keys if key}))
        oldest = newest - table.ttl // _MICROSECOND if table.ttl else None
        wanted = requested_features or [field.name for field in table.features]
        return [_answer(found.get(key), oldest, wanted) if key else (None, None) for key in keys]

    def update(
        self,
        config: RepoConfig,
        tables_to_delete: Sequence[FeatureView],
        tables_to_keep: Sequence[FeatureView],
        entities_to_delete: Sequence[Entity],
        entities_to_keep: Sequence[Entity],
        partial: bool,
    ) -> None:
        """Prepare the store and refuse features that it cannot keep; forget views that are no longer defined."""
        for view in tables_to_keep:
            Layout.of(view.name, view.features)
        self._forget(config, [_name(config, view) for view in tables_to_delete])

    def teardown(self, config: RepoConfig, tables: Sequence[FeatureView], entities: Sequence[Entity]) -> None:
        """Forget every row of some views."""
        self._forget(config, [_name(config, view) for view in tables])


def _name(config: RepoConfig, view: FeatureView) -> str:
    return f"{config.project}.{view.name}"


def _encode(rows: pa.Table, view: FeatureView, layout: Layout) -> list[Row]:
    """Return the rows in the order of their keys, as tables keep them; a row without a key cannot be found."""
    for field in view.entity_columns:
        rows = rows.filter(pc.is_valid(rows.column(field.name)))
    events, known = (
        rows.column(name).cast(pa.timestamp("us", "UTC")).cast(pa.int64()).to_pylist() for name in (AS_OF, KNOWN_AT)
    )
    return sorted(map(Row, encode_keys(rows, view.entity_columns), events, known, layout.encode(rows)))


def _newest(rows: Iterable[Row]) -> list[Row]:
    """Return the row of each entity that wins, in the order of their keys."""
    kept: dict[bytes, Row] = {}
    for row in rows:
        other = kept.get(row.entity)
        if other is None or (row.event, row.known) >= (other.event, other.known):
            kept[row.entity] = row
    return sorted(kept.values())


def _remove_superseded(change: Change, window: tuple[datetime, datetime], rows: Sequence[Row]) -> set[bytes]:
    """Remove rows of a window that the lake no longer has; return the entities that are left without any."""
    first, last = map(_microseconds, window)
    superseded = set(change.within(first, last))
    if not superseded:
        return set()
    superseded.difference_update((row.entity, row.event) for row in rows)
    entities = {entity for entity, _ in superseded}
    if entities:
        change.remove(entities)
    return entities.difference(row.entity for row in rows)


def _answer(
    row: Found | None, oldest: int | None, wanted: Sequence[str]
) -> tuple[datetime | None, dict[str, ValueProto] | None]:
    if row is None or (oldest is not None and row.event < oldest):
        return None, None
    return _EPOCH + timedelta(microseconds=row.event), Layout.parse(row.layout).decode(row.features, wanted)


def _key(entity: EntityKey) -> bytes | None:
    """Return the entity's serialised key, None when a part of it is missing."""
    if any(value.WhichOneof("val") is None for value in entity.entity_values):
        return None
    key: bytes = serialize_entity_key(entity)
    return key


def _microseconds(moment: datetime) -> int:
    """Return a moment as the stores keep it; Feast's contract is that a naive one is UTC."""
    aware = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    return (aware - _EPOCH) // _MICROSECOND
