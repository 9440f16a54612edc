"""The graph of lineage: versions of datasets, and the runs that made one from others."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from airloom.lineage.events import Run, Version, Written


@dataclass(frozen=True)
class Made:
    """How a version came to be.

    Args:
        run: The run that wrote it.
        written: What it wrote, and from what.
    """

    run: Run
    written: Written


class Graph:
    """What was made of what.

    Args:
        runs: Every attempt of every task, oldest first.
    """

    def __init__(self, runs: Iterable[Run]) -> None:
        self.runs = list(runs)
        self._made: dict[Version, list[Made]] = defaultdict(list)
        self._used: dict[Version, list[Made]] = defaultdict(list)
        self._withdrawn: dict[Version, Run] = {}
        self._attempts: dict[tuple[str, str, int], list[Run]] = defaultdict(list)
        for run in self.runs:
            self._attempts[run.task].append(run)
            if run.state == "complete":
                self._add(run)

    def _add(self, run: Run) -> None:
        self._withdrawn.update(dict.fromkeys(run.withdrawn, run))
        for written in run.outputs:
            made = Made(run, written)
            self._made[written.version].append(made)
            for version in written.inputs:
                self._used[version].append(made)

    def versions(self, name: str, partition: str = "") -> list[Version]:
        """Return the versions of a dataset's partition, the newest last."""
        found = [each for each in self._made if (each.name, each.partition) == (name, partition)]
        return sorted(found, key=lambda version: self._ended(self._made[version][-1]))

    def made(self, version: Version, before: datetime | None = None) -> Made | None:
        """Return how a version came to be, None when no event tells.

        The same content may be written several times: what counts is the last time before it was read, and a run that
        found it there already has not made it.

        Args:
            version: The version.
            before: When it was read; None for now.
        """
        known = [each for each in self._made.get(version, ()) if before is None or self._ended(each) <= before]
        known = known or self._made.get(version, [])
        wrote = [each for each in known if not each.written.unchanged]
        return wrote[-1] if wrote else next(iter(known), None)

    def used(self, version: Version) -> Iterator[Made]:
        """Yield what was made of a version, each outcome once."""
        seen: set[Version] = set()
        for made in self._used.get(version, ()):
            if made.written.version not in seen:
                seen.add(made.written.version)
                yield self.made(made.written.version) or made

    def withdrawn(self, version: Version) -> Run | None:
        """Return the run that took a version back last; None when none did, or when it was published again since."""
        run, made = self._withdrawn.get(version), self._made.get(version, [])
        return run if run and all(self._ended(each) <= (run.ended or run.started) for each in made) else None

    def attempts(self, run: Run) -> list[Run]:
        """Return every attempt of the same task in the same run of its DAG."""
        return self._attempts[run.task]

    def _ended(self, made: Made) -> datetime:
        return made.run.ended or made.run.started
