"""A backfill by 1, 2 and 4 Celery workers, on the stack of docker-compose.yaml as processes of this machine,
over the parcels of the tests.

Run: python -m bench.workers --days 30 --workers 1 2 4
It needs PostgreSQL and redis-server, as the tests of the stack do, and ten minutes to an hour for 30 days.
"""

from __future__ import annotations

import argparse
import tempfile
import threading
import time
from collections import Counter
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console
from rich.table import Table

from tests.system.topology import ORDER, running_topology

FIRST = date(2024, 1, 1)
TASKS_AT_ONCE = 2
_LOOK_SECONDS = 10
_MOST_SECONDS = 3 * 3600


def main() -> None:
    """Measure each number of workers on a stack of its own, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4])
    arguments = parser.parse_args()
    table = Table("workers", "days, s", "ratio", "processors busy", "peak memory, GiB", "where the processors were")
    first = None
    for workers in arguments.workers:
        found = _measure(workers, arguments.days)
        first = first or found["seconds"]
        shares = ", ".join(f"{name} {share:.0%}" for name, share in found["shares"].most_common(5))
        table.add_row(
            *(str(workers), f"{found['seconds']:.0f}", f"{first / found['seconds']:.2f}", f"{found['busy']:.0%}"),
            *(f"{found['memory'] / 2**30:.1f}", shares),
        )
        Console(width=160).print(table)


def _measure(workers: int, days: int) -> dict[str, Any]:
    """Run the days on a stack with so many workers, each of which takes tasks of both queues."""
    with tempfile.TemporaryDirectory(prefix="airloom-bench-") as temporary:
        return _run(running_topology(Path(temporary)), ORDER, workers, days)


def _run(topology: Any, order: tuple[str, ...], workers: int, days: int) -> dict[str, Any]:
    with topology as stack:
        stack.start(*(service for service in order if not service.startswith("worker")))
        for number in range(workers):
            stack.spawn_worker(f"workers{number}", "default,training", TASKS_AT_ONCE)
        with _watching(stack) as watched:
            began = time.monotonic()
            stack.backfill(FIRST, FIRST + timedelta(days=days - 1), seconds=_MOST_SECONDS)
            seconds = time.monotonic() - began
    return {"seconds": seconds, **watched.result(seconds)}


class _watching:
    """Looks at memory and processors of the stack now and then: looking costs, too."""

    def __init__(self, stack: Any) -> None:
        self.stack, self.over, self.peak = stack, threading.Event(), 0
        self.thread = threading.Thread(target=self._watch)

    def __enter__(self) -> _watching:
        self.before, self.machine = self._used(), psutil.cpu_times()
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self.thread.join()
        self.after, self.machine_after = self._used(), psutil.cpu_times()

    def result(self, seconds: float) -> dict[str, Any]:
        used = Counter({name: self.after[name] - self.before[name] for name in self.after})
        whole = sum(used.values()) or 1.0
        return {
            "memory": self.peak,
            "busy": 1 - (self.machine_after.idle - self.machine.idle) / (seconds * psutil.cpu_count()),
            "shares": Counter({name: value / whole for name, value in used.items()}),
        }

    def _watch(self) -> None:
        while not self.over.wait(_LOOK_SECONDS):
            self.peak = max(self.peak, sum(_memory(each) for each in self._processes().values()))

    def _processes(self) -> dict[int, psutil.Process]:
        roots = [process.pid for process in self.stack.processes().values()]
        found = {}
        for root in roots:
            try:
                parent = psutil.Process(root)
                found.update({each.pid: each for each in [parent, *parent.children(recursive=True)]})
            except psutil.NoSuchProcess:
                continue
        return found

    def _used(self) -> Counter[str]:
        """Processor seconds by service, with those of processes that it has waited for."""
        used: Counter[str] = Counter()
        for name, process in self.stack.processes().items():
            parent = psutil.Process(process.pid)
            for each in [parent, *parent.children(recursive=True)]:
                try:
                    times = each.cpu_times()
                except psutil.NoSuchProcess:
                    continue
                used["workers" if name.startswith("workers") else name] += sum(times[:4])
        return used


def _memory(process: psutil.Process) -> int:
    """Return a process's share of memory: what several share is counted once."""
    try:
        return int(process.memory_full_info().pss)
    except psutil.Error:
        return 0


if __name__ == "__main__":
    main()
