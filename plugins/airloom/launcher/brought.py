"""What became of one part of an installation when it was brought up to date."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Brought:
    """One part and what has become of it.

    Args:
        part: What was looked at.
        changed: Whether anything had to be done.
        outcome: What was done, or what was there.
    """

    part: str
    changed: bool
    outcome: str
