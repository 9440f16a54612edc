"""The circuit: training pauses when night after night brings no usable challenger. A pure function of these nights."""

from __future__ import annotations

from collections.abc import Sequence
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
    """

    partition: date
    outcome: str
    recipe: str

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

    def __str__(self) -> str:
        last = self.nights[-1]
        return (
            f"training is paused: {len(self.nights)} nights in a row without a usable challenger, "
            f"from {self.nights[0].partition} to {last.partition} (the last one {last.outcome}); "
            f"it is tried again on {self.until}, or when the data has changed"
        )


def pause(nights: Sequence[Night], recipe: str, rules: Circuit) -> Pause | None:
    """Tell whether training is paused after some nights.

    Args:
        nights: What came of the nights before, oldest first, each once.
        recipe: The recipe of now.
        rules: What the pipeline declares.

    Returns:
        The pause, None when there is none.
    """
    useless = tuple(takewhile(lambda night: night.useless and night.recipe == recipe, reversed(nights)))[::-1]
    if len(useless) < rules.failures:
        return None
    return Pause(useless, useless[-1].partition + rules.retry_after)
