"""How many lineage events there are, and what became of them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from airloom.core.settings import Settings
from airloom.lineage.delivery.unsent import Unsent
from airloom.stores.kept_events import count_kept


@dataclass(frozen=True)
class LineageState:
    """How many lineage events there are, and what became of them.

    Args:
        file: Where every event is kept.
        events: How many events it holds.
        backend: Where events go besides.
        unsent: How many events the backend has not accepted.
        refused: How many events it has refused, by its answer.
    """

    file: str
    events: int
    backend: str | None
    unsent: int
    refused: dict[str, int]


def read_state(settings: Settings, backend: str | None) -> LineageState:
    """Count the lineage events of an installation.

    Args:
        settings: The places of the installation.
        backend: Where events go besides the file, in words.
    """
    unsent = Unsent(settings.delivery)
    return LineageState(
        file=str(settings.lineage),
        events=count_events(settings),
        backend=backend,
        unsent=len(unsent.paths()),
        refused=dict(Counter(words for _, words in unsent.refusals())),
    )


def count_events(settings: Settings) -> int:
    """Return how many events are kept."""
    return count_kept(settings.lineage)
