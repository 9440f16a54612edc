"""What a day's labels are computed from: scored rows, the days until they are mature, and the query."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from airloom.core.fingerprint import fingerprint
from airloom.core.partitions import local_days
from airloom.core.pipeline import Pipeline
from airloom.core.settings import Settings
from airloom.steps.readiness import LABELS
from airloom.stores.content import NO_ROWS
from airloom.stores.lake import Lake, PartitionVersion


@dataclass(frozen=True)
class LabelInputs:
    """What is published, read once, and the query.

    Args:
        pipeline: The declaration.
        sql: The query of the label.
        raw: Published days of the scored rows' table and of every table that the query reads.
        labels: Published labels.
    """

    pipeline: Pipeline
    sql: str
    raw: Mapping[str, Mapping[date, PartitionVersion]]
    labels: Mapping[date, PartitionVersion]

    @classmethod
    def read(cls, pipeline: Pipeline, lake: Lake, settings: Settings) -> LabelInputs:
        """Read the query and the lake's logs."""
        tables = dict.fromkeys((pipeline.score.entities, *(pipeline.label.reads or ())))
        return cls(
            pipeline=pipeline,
            sql=(settings.include / pipeline.name / str(pipeline.label.sql)).read_text(encoding="utf-8"),
            labels=lake.partitions(LABELS),
            raw={table: lake.partitions(f"raw.{table}") for table in tables},
        )

    def days(self, day: date) -> list[date]:
        """Return the days whose rows can be the outcome of a scored day."""
        return local_days(day, day + self.pipeline.label.matures_after, self.pipeline.schedule.timezone)

    def found(self, day: date) -> dict[str, tuple[PartitionVersion, ...]]:
        """Return the published days that the labels of a scored day are computed from, by table."""
        return {
            table: tuple(published for each in self.days(day) if (published := self.raw[table].get(each)))
            for table in self.pipeline.label.reads or ()
        }

    def scored(self, day: date) -> PartitionVersion | None:
        """Return what is published of the scored rows of a day."""
        return self.raw[self.pipeline.score.entities].get(day)

    def untyped(self) -> list[str]:
        """Return the tables that never had a row: they have no types, and nothing happened in them."""
        tables = self.pipeline.label.reads or ()
        return [table for table in tables if all(each.version == NO_ROWS for each in self.raw[table].values())]

    def fingerprint(self, day: date) -> str:
        """Return what a partition that was computed from exactly this carries in the lake."""
        label, scored = self.pipeline.label, self.scored(day)
        days = {
            table: {each.partition.isoformat(): [each.version, each.degraded] for each in found}
            for table, found in self.found(day).items()
        }
        return fingerprint(
            {
                "days": days,
                "examples": [scored.version, scored.degraded] if scored else None,
                "sql": self.sql,
                "label": [*self.pipeline.label_key, label.column, label.kind, str(label.horizon), str(label.delay)],
                **({"untyped": untyped} if (untyped := self.untyped()) else {}),
            }
        )

    def degraded(self, day: date) -> bool:
        """Tell whether a warning stands against anything that the labels of a day are computed from."""
        versions = [self.scored(day), *(each for found in self.found(day).values() for each in found)]
        return any(each is None or each.degraded for each in versions)

    def is_current(self, day: date) -> bool:
        """Tell whether the labels of a day were computed from what is published."""
        present = self.labels.get(day)
        return present is not None and present.inputs == self.fingerprint(day)

    def stale(self) -> tuple[date, ...]:
        """Return the days whose published labels were computed from something else than what is published now."""
        return tuple(day for day, each in self.labels.items() if each.inputs and not self.is_current(day))


def current_labels(pipeline: Pipeline, lake: Lake, settings: Settings) -> Lake:
    """Return the lake without labels that are not what the query gives now; those in a table always are current.

    Args:
        pipeline: The declaration.
        lake: The tables, as they are read.
        settings: Where the query is.
    """
    if pipeline.label.sql is None:
        return lake
    return lake.without({LABELS: LabelInputs.read(pipeline, lake, settings).stale()})
