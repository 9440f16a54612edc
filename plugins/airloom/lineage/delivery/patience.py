"""How long events wait for a lineage backend."""

from __future__ import annotations

import time
from collections.abc import Callable

#: Seconds without a try after a failure. The scheduler's process for lineage lives long and must not wait every time.
PAUSE = 60.0


class Patience:
    """Bounds what a backend may cost: a run's events wait for it a given time together, and not after a failure.

    Args:
        seconds: How long the events of one run may wait together; in a task's process they are all of one run.
        clock: Tells the time in seconds.
    """

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._run: str | None = None
        self._spent = 0.0
        self._paused_until = 0.0

    def left(self, run: str) -> float:
        """Return the seconds that an event of a run may wait now; 0 when it is not to be sent."""
        if self._clock() < self._paused_until:
            return 0.0
        return max(0.0, self._seconds - (self._spent if run == self._run else 0.0))

    def waited(self, run: str, seconds: float, failed: bool) -> None:
        """Note that an event of a run has waited, and whether that was for nothing."""
        self._spent = seconds + (self._spent if run == self._run else 0.0)
        self._run = run
        if failed:
            self._paused_until = self._clock() + PAUSE
