"""What a partition of a feature view is computed from: the published days of its window, and its SQL."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta

from airloom.core.fingerprint import fingerprint
from airloom.core.partitions import has_ended
from airloom.core.pipeline import Pipeline, View
from airloom.core.settings import Settings
from airloom.steps.view_definitions import view_definitions
from airloom.stores.content import NO_ROWS
from airloom.stores.features import ViewDefinition
from airloom.stores.lake import Lake, PartitionVersion
from airloom.stores.withdrawals import Withdrawals


@dataclass(frozen=True)
class ViewInputs:
    """What one partition of one view is computed from.

    Args:
        view: Name of the view.
        partition: The day.
        days: The days of its window, oldest first.
        found: Those that are published, by raw table that it reads.
        sql: The query.
        types: The features, with the names of their declared types.
        untyped: Tables without a single row: they have no types, and cannot be queried.
    """

    view: str
    partition: date
    days: tuple[date, ...]
    found: Mapping[str, tuple[PartitionVersion, ...]]
    sql: str
    types: Mapping[str, str]
    untyped: tuple[str, ...] = ()

    @property
    def fingerprint(self) -> str:
        """The fingerprint that a partition computed from exactly this carries in the lake."""
        return fingerprint({**self._read, "types": self.types})

    @property
    def fingerprint_without_types(self) -> str:
        """The fingerprint that a partition carries which was computed before declared types were part of it."""
        return fingerprint(self._read)

    @property
    def _read(self) -> dict[str, object]:
        by_table = {
            table: {each.partition.isoformat(): [each.version, each.degraded] for each in found}
            for table, found in self.found.items()
        }
        days = by_table if len(by_table) > 1 else next(iter(by_table.values()))
        untyped = {"untyped": list(self.untyped)} if self.untyped else {}
        return {"days": days, "sql": self.sql, **untyped}

    @property
    def degraded(self) -> bool:
        """Whether a day of the window is missing or has a warning against it."""
        return any(len(found) < len(self.days) or any(each.degraded for each in found) for found in self.found.values())

    @property
    def computable(self) -> bool:
        """Whether there is at least one day of every table."""
        return all(self.found.values())


@dataclass(frozen=True)
class FeatureInputs:
    """What is published, read once: raw days by table, features by view.

    Args:
        pipeline: The declaration.
        sql: The query of every view.
        definitions: Every view as Feast knows it.
        raw: Published days of every raw table that views read.
        features: Published partitions of every view.
        withdrawn: Days that were taken back, with the table of each; only a run for such a day publishes it again.
    """

    pipeline: Pipeline
    sql: Mapping[str, str]
    definitions: Mapping[str, ViewDefinition]
    raw: Mapping[str, Mapping[date, PartitionVersion]]
    features: Mapping[str, Mapping[date, PartitionVersion]]
    withdrawn: frozenset[tuple[str, date]] = field(default=frozenset())

    @classmethod
    def read(cls, pipeline: Pipeline, settings: Settings, lake: Lake | None = None) -> FeatureInputs:
        """Read the declaration's queries, Feast's definitions and the lake's logs.

        Args:
            pipeline: The declaration.
            settings: Where declaration, registry and lake are.
            lake: The tables, where they are read as they were at a commit.
        """
        lake, views = lake or Lake(settings.lake / pipeline.name), pipeline.features.views
        folder = settings.include / pipeline.name
        return cls(
            pipeline=pipeline,
            sql={name: (folder / view.sql).read_text(encoding="utf-8") for name, view in views.items()},
            definitions=view_definitions(pipeline, settings),
            features={name: lake.partitions(f"features.{name}") for name in views},
            raw={table: lake.partitions(f"raw.{table}") for table in pipeline.features.reads},
            withdrawn=frozenset(Withdrawals.of(pipeline.name, settings).lasting()),
        )

    def again(self, lake: Lake) -> FeatureInputs:
        """Return the same queries and definitions with what the lake has published since."""
        return replace(
            self,
            features={name: lake.partitions(f"features.{name}") for name in self.features},
            raw={table: lake.partitions(f"raw.{table}") for table in self.raw},
        )

    def of(self, name: str, partition: date) -> ViewInputs:
        """Return what a view's partition is to be computed from, as published now."""
        return self.among(name, partition, self.raw)

    def among(self, name: str, partition: date, published: Mapping[str, Mapping[date, PartitionVersion]]) -> ViewInputs:
        """Return what a view's partition is computed from when just these days of its tables are there."""
        view = self._view(name)
        days = self.pipeline.schedule.window(partition, view.window.days)
        found = {table: tuple(published[table][day] for day in days if day in published[table]) for table in view.reads}
        untyped = tuple(table for table in view.reads if not self._has_rows(table))
        return ViewInputs(name, partition, tuple(days), found, self.sql[name], self.definitions[name].types, untyped)

    def computable(self, partition: date) -> list[ViewInputs]:
        """Return what the views' partitions are to be computed from, without views that have nothing of a table."""
        return [used for name in self.pipeline.features.views if (used := self.of(name, partition)).computable]

    def is_current(self, name: str, partition: date) -> bool:
        """Tell whether a view's partition is what its inputs, its SQL and its declared types give now, if anything.

        An earlier version of Airloom has not kept the types with a partition; such a one is current by all the others.
        """
        present, used = self.features[name].get(partition), self.of(name, partition)
        if present is None:
            return not used.computable
        return present.inputs in (used.fingerprint, used.fingerprint_without_types)

    def stale(self, partition: date) -> Iterator[tuple[str, date]]:
        """Find what a run for a partition has to compute.

        That is the partition itself, every later one whose window reaches back to it, and earlier ones within the
        look-back; of each, only what is not current and has something to be computed from. A day counts when any of its
        views was computed, and it has ended. What was taken back is computed by a run for this very day alone.
        """
        look_back, zone = timedelta(days=self.pipeline.look_back), self.pipeline.schedule.timezone
        computed = {day for day in set().union(*self.features.values()) if has_ended(day, zone)}
        for name in self.pipeline.features.views:
            reach = self._view(name).window
            others = [day for day in computed if partition - look_back <= day < partition + reach]
            for day in sorted({partition, *others}):
                taken_back = day != partition and (f"features.{name}", day) in self.withdrawn
                if not taken_back and not self.is_current(name, day) and self.of(name, day).computable:
                    yield name, day

    def _has_rows(self, table: str) -> bool:
        return any(each.version != NO_ROWS for each in self.raw[table].values())

    def _view(self, name: str) -> View:
        return self.pipeline.features.views[name]
