"""What the log of a Delta table says of its partitions: the versions that are published, and the facts of commits."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from airloom.stores.partition_columns import own_columns, partition_columns

if TYPE_CHECKING:
    import pyarrow as pa
    from deltalake import DeltaTable

#: What our own facts in the table's log start with; those of the lake itself are a day, its types and what widened.
FACT = "airloom."
DAY, TYPES, WIDENED = "partition", "types", "widened"


@dataclass(frozen=True)
class PartitionVersion:
    """What is published for one partition of one table.

    Args:
        partition: The day.
        version: Digest of the content.
        inputs: Fingerprint of the versions that it was computed from; empty for raw data.
        degraded: Whether a warning stands against it or against anything it was computed from.
    """

    partition: date
    version: str
    inputs: str = ""
    degraded: bool = False

    @property
    def quality(self) -> str:
        """What the lake says of it."""
        return "degraded" if self.degraded else "ok"

    @property
    def columns(self) -> tuple[str, ...]:
        """The values of the columns that describe partitions."""
        return self.partition.isoformat(), self.version, self.inputs, self.quality


def table_schema(delta: DeltaTable | None) -> pa.Schema:
    """Return a table's columns, without those that describe partitions; none where there is no table."""
    import pyarrow as pa

    known = pa.schema([] if delta is None else delta.schema().to_arrow())
    return pa.schema([pa.field(name, known.field(name).type) for name in own_columns(known.names)])


def table_partition_columns(delta: DeltaTable | None) -> list[str]:
    """Return what a table calls the columns that describe its partitions, or will when it is made."""
    return partition_columns([] if delta is None else delta.metadata().partition_columns)


def facts_by_day(delta: DeltaTable | None) -> dict[date, dict[str, Any]]:
    """Return, by day, what was kept with the commit that published it last."""
    # It lists every commit, newest first, whichever was opened, and then numbers them from that one: count anew.
    history = [] if delta is None else delta.history()[::-1][: delta.version() + 1]
    facts: dict[date, dict[str, Any]] = {}
    for entry in history:
        kept = {name.removeprefix(FACT): value for name, value in entry.items() if name.startswith(FACT)}
        if day := kept.pop(DAY, None):
            facts[date.fromisoformat(day)] = {name: json.loads(value) for name, value in kept.items()}
    return facts


def published_versions(delta: DeltaTable | None) -> dict[date, PartitionVersion]:
    """Return what a table has published, by day."""
    if delta is None:
        return {}
    actions = delta.get_add_actions(flatten=True)
    columns = [actions.column(f"partition.{name}").to_pylist() for name in table_partition_columns(delta)]
    versions = [
        PartitionVersion(date.fromisoformat(day), version, inputs or "", quality == "degraded")
        for day, version, inputs, quality in zip(*columns, strict=True)
    ]
    return {each.partition: each for each in sorted(versions, key=lambda each: each.partition)}


def vacuumed(delta: DeltaTable) -> str:
    """Say when the table was last vacuumed, if it ever was."""
    done = next((each for each in delta.history() if each.get("operation") == "VACUUM END"), None)
    return f", vacuumed on {datetime.fromtimestamp(done['timestamp'] / 1000, UTC):%Y-%m-%d %H:%M} UTC" if done else ""
