"""Waiting for something for as long as it makes progress, however busy the machine is."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

#: Seconds without any progress after which waiting is pointless.
STALLED_SECONDS = 240.0
_LONG_SECONDS = 60.0


class Waiting:
    """Tells for how long something has been waited for, and whether it still makes progress.

    Args:
        clock: Returns the current time in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self.began = self.moved = clock()
        self.seen: object = None

    def look(self, seen: object) -> None:
        """Compare what is seen with what was seen before: any difference is progress."""
        if seen != self.seen:
            self.seen, self.moved = seen, self.clock()

    @property
    def stalled(self) -> bool:
        """Whether there was no progress for a long time."""
        return self.clock() - self.moved > STALLED_SECONDS

    @property
    def remark(self) -> str:
        """After a while, for how long it has been waited and whether the machine is busy; empty before."""
        seconds = self.clock() - self.began
        if seconds < _LONG_SECONDS:
            return ""
        load, cores = os.getloadavg()[0], os.cpu_count() or 1
        busy = f"; this machine is busy: load {load:.0f} on {cores} cores" if load > cores else ""
        return f" (for {seconds:.0f} s{busy})"
