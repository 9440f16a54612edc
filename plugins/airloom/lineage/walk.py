"""Walks of the graph, backwards to what something was made of and forwards to what was made of it, by dataset."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from airloom.lineage.events import Run, Version
from airloom.lineage.graph import Graph, Made

#: What a person asks for first comes first.
_DERIVED = ("model", "champion", "verdict", "run", "training", "labels", "features", "online")
_ORDER = (*_DERIVED, "raw", "staging", "validation")

#: A version, and how it came to be, where an event tells.
Found = tuple[Version, Made | None]


@dataclass(frozen=True)
class Branch:
    """Versions of one dataset, and where the walk goes on from them.

    Args:
        name: The dataset.
        found: Its versions with how they came to be, oldest day first.
        branches: What they were made of, or what was made of them, by dataset; empty when `above`.
        above: Whether all of it stands further up in the same walk.
    """

    name: str
    found: tuple[Found, ...]
    branches: tuple[Branch, ...] = ()
    above: bool = False

    @property
    def runs(self) -> list[Run]:
        """The runs that made these versions, each once, oldest first."""
        runs = {made.run.id: made.run for _, made in self.found if made}
        return sorted(runs.values(), key=lambda run: run.started)

    @property
    def untold(self) -> list[Version]:
        """Versions of which no event tells how they were made."""
        return [version for version, made in self.found if made is None]


def trace(graph: Graph, version: Version) -> Branch:
    """Walk back from a version to everything that it was made of.

    Args:
        graph: The graph.
        version: Where to start.
    """
    return _walk([(version, graph.made(version))], lambda found: _sources(graph, found), {})


def impact(graph: Graph, versions: Iterable[Version]) -> Branch:
    """Walk forward from versions of one dataset to everything that was made of them.

    Args:
        graph: The graph.
        versions: Where to start.
    """
    start = [(version, graph.made(version)) for version in versions]
    return _walk(start, lambda found: _results(graph, found), {})


def _walk(found: list[Found], further: Callable[[list[Found]], list[Found]], seen: dict[str, set[Version]]) -> Branch:
    name, versions = found[0][0].name, {version for version, _ in found}
    ordered = tuple(sorted(found, key=lambda each: each[0]))
    if versions <= seen.get(name, set()):
        return Branch(name, ordered, above=True)
    seen.setdefault(name, set()).update(versions)
    onward = sorted(further(found), key=lambda each: (_place(each[0]), each[0]))
    groups = [list(group) for _, group in groupby(onward, key=lambda each: each[0].name)]
    return Branch(name, ordered, tuple(_walk(group, further, seen) for group in groups))


def _place(version: Version) -> int:
    kind = version.name.partition("/")[2].partition(".")[0]
    return _ORDER.index(kind) if kind in _ORDER else len(_ORDER)


def _sources(graph: Graph, found: list[Found]) -> list[Found]:
    """Return what versions were made of, as it was when they were made."""
    read: dict[Version, datetime] = {}
    for _, made in found:
        for version in made.written.inputs if made else ():
            moment = made.run.ended or made.run.started if made else datetime.min
            read[version] = max(moment, read.get(version, moment))
    return [(version, graph.made(version, moment)) for version, moment in read.items()]


def _results(graph: Graph, found: list[Found]) -> list[Found]:
    results = {made.written.version: made for version, _ in found for made in graph.used(version)}
    return list(results.items())
