"""Sends again what a lineage backend has not accepted, in order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airloom.lineage.delivery.unsent import Unsent

if TYPE_CHECKING:
    from airloom.lineage.delivery.sending import Sender

#: One event may be a problem of its own; after so many in a row it is the backend.
_FAILURES = 3

Show = Callable[[int, int], None]


@dataclass(frozen=True)
class Resent:
    """What became of the events that had not been accepted.

    Args:
        accepted: How many were accepted now.
        refused: How many were refused now.
        left: How many there are still.
        problem: Why the last one was not accepted; None when all that were sent were.
    """

    accepted: int
    refused: int
    left: int
    problem: str | None = None


def resend(unsent: Unsent, sender: Sender, seconds: float, show: Show) -> Resent:
    """Send every event that was not accepted, the oldest first; give up after three failures in a row.

    Args:
        unsent: Where they are.
        sender: Sends them.
        seconds: How long to wait for each answer.
        show: Is told how many of how many were looked at.
    """
    with unsent.alone():
        return _resend(unsent, sender, seconds, show)


def _resend(unsent: Unsent, sender: Sender, seconds: float, show: Show) -> Resent:
    counts = {"accepted": 0, "refused": 0}
    problem, in_a_row = None, 0
    paths = unsent.paths()
    for number, path in enumerate(paths, start=1):
        held = unsent.take(path)
        if held is not None:
            answer = sender.send(held.event(), seconds, held)
            if answer.outcome == "lost":
                problem, in_a_row = answer.words, in_a_row + 1
            else:
                in_a_row = 0
                counts[answer.outcome] += 1
        show(number, len(paths))
        if in_a_row == _FAILURES:
            break
    return Resent(**counts, left=len(unsent.paths()), problem=problem)
