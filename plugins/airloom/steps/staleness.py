"""Staleness: which partitions of features are not what today's inputs, SQL and declared types give; none is used.

A point-in-time join reads the partitions of the days of its rows, and those before them within each view's TTL. A
partition that carries no fingerprint was not computed by `compute`: nothing says that it is stale.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta

from airloom.core.partitions import has_ended
from airloom.core.pipeline import Pipeline
from airloom.core.settings import Settings
from airloom.steps.inputs import FeatureInputs
from airloom.stores.lake import Lake

#: Views with the days on which they are not current.
Stale = list[tuple[str, date]]

_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Staleness:
    """Answers which features are stale, each day of each view looked at once.

    Args:
        lake: The tables, as they are read.
        inputs: What the features are computed from; None where nothing was computed.
    """

    lake: Lake
    inputs: FeatureInputs | None
    _known: dict[tuple[str, date], bool] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def read(cls, pipeline: Pipeline, settings: Settings, lake: Lake | None = None) -> Staleness:
        """Read what is published, and today's queries and types.

        Args:
            pipeline: The declaration.
            settings: Where declaration, registry and lake are.
            lake: The tables, where they are read as they were at a commit.
        """
        lake = lake or Lake(settings.lake / pipeline.name)
        published = (lake.partitions(f"features.{name}") for name in pipeline.features.views)
        computed = any(version.inputs for each in published for version in each.values())
        return cls(lake, FeatureInputs.read(pipeline, settings, lake) if computed else None)

    def again(self) -> Staleness:
        """Return what is stale by what has been published since."""
        return Staleness(self.lake, self.inputs and self.inputs.again(self.lake))

    def everywhere(self) -> Stale:
        """Return all stale features, oldest day first."""
        return [] if self.inputs is None else self._between(self.inputs, {}, date.max)

    def on(self, day: date) -> Stale:
        """Return the stale features of one day."""
        return [] if self.inputs is None else self._between(self.inputs, dict.fromkeys(self.inputs.features, day), day)

    def before(self, days: Collection[date]) -> Stale:
        """Return the stale features that a join for rows of some days would read, oldest day first."""
        if self.inputs is None or not days:
            return []
        first = min(days)
        reach = {name: first + (-each.ttl // _DAY) * _DAY for name, each in self.inputs.definitions.items() if each.ttl}
        return self._between(self.inputs, reach, max(days))

    def current(self, days: Collection[date]) -> Lake:
        """Return the lake as a join for rows of some days may read it: without stale features."""
        left_out: dict[str, list[date]] = {}
        for name, day in self.before(days):
            left_out.setdefault(f"features.{name}", []).append(day)
        return self.lake.without(left_out)

    def _between(self, inputs: FeatureInputs, first: Mapping[str, date], last: date) -> Stale:
        """Return what is stale up to a day, of each view from its first day on, or of all days."""
        zone = inputs.pipeline.schedule.timezone
        days = sorted(day for day in set().union(*inputs.features.values()) if day <= last and has_ended(day, zone))
        return [
            (name, day)
            for day in days
            for name in inputs.features
            if day >= first.get(name, date.min) and self._is_stale(inputs, name, day)
        ]

    def _is_stale(self, inputs: FeatureInputs, name: str, day: date) -> bool:
        if (name, day) not in self._known:
            present = inputs.features[name].get(day)
            brought = present is not None and not present.inputs
            # It is not there, and comes back by a run for its own day alone.
            taken_back = present is None and (f"features.{name}", day) in inputs.withdrawn
            self._known[name, day] = not (brought or taken_back or inputs.is_current(name, day))
        return self._known[name, day]
