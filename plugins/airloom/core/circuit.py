"""The circuit: training pauses when night after night brings no usable challenger. A pure function of these nights."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from itertools import takewhile

from airloom.core.rules import Circuit


@dataclass(frozen=True)
class Night:
    """What one night's training came to.

    Args:
        partition: The night.
        outcome: The verdict's outcome, or `failed`.
        recipe: Fingerprint of declaration and code; another recipe starts anew.
        training: The training set that was judged; empty when the night has failed.
    """

    partition: date
    outcome: str
    recipe: str
    training: str = ""

    @property
    def useless(self) -> bool:
        """Whether nothing usable came of it; a tie confirms the champion, which is worth a night."""
        return self.outcome in ("failed", "rejected", "incomparable")


@dataclass(frozen=True)
class Pause:
    """Training is paused.

    Args:
        nights: The useless nights in a row, oldest first.
        until: The night that is tried again; an earlier one only when the data has changed.
    """

    nights: tuple[Night, ...]
    until: date

    @property
    def why(self) -> str:
        """What has paused it."""
        first, last = self.nights[0], self.nights[-1]
        if first is last:
            return f"no usable challenger on {last.partition} ({last.outcome})"
        return (
            f"{len(self.nights)} nights in a row without a usable challenger, from {first.partition} to "
            f"{last.partition} (the last one {last.outcome})"
        )

    def __str__(self) -> str:
        return f"training is paused: {self.why}; it is tried again on {self.until}, or when the data has changed"


def pause(nights: Iterable[Night], recipe: str, rules: Circuit, partition: date | None = None) -> Pause | None:
    """Tell whether training is paused for a night.

    Only the nights before it that were trained by the same recipe count, in the order of their days: what has been
    trained by another recipe, and when any of it ran, makes no difference.

    Args:
        nights: What came of the nights, in any order; each once a recipe.
        recipe: The recipe of now.
        rules: What the pipeline declares.
        partition: The night; None for the one after all of them.

    Returns:
        The pause, None when there is none.
    """
    before = [each for each in nights if each.recipe == recipe and (partition is None or each.partition < partition)]
    newest_first = sorted(before, key=lambda night: night.partition, reverse=True)
    useless = tuple(takewhile(lambda night: night.useless, newest_first))[::-1]
    if len(useless) < rules.failures:
        return None
    return Pause(useless, useless[-1].partition + rules.retry_after)
