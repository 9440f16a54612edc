"""Processes of tests: forked from one that has imported everything, so that a process costs milliseconds."""

import os
import signal
import sys
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path

import psutil
import pytest

from airloom.core.failpoints import ARMED, LISTED, FailpointReached

#: How a process ends that a failpoint has ended, by action.
ENDS = {"kill": -signal.SIGKILL, "terminate": 143, "raise": 70}

#: Makes barriers and queues for these processes.
PROCESSES = get_context("forkserver")
PROCESSES.set_forkserver_preload(["tests.worlds.preloaded"])

_starting = threading.Lock()


def start(function, *arguments, failpoint=None, listed: Path | None = None):
    """Start a function in a process of its own, with a failpoint armed or with every one that it passes listed."""
    armed = {ARMED: failpoint, LISTED: listed and str(listed)}
    with _starting:  # Another thread that starts a process changes the environment while it does.
        environment = {**os.environ, **{name: value for name, value in armed.items() if value}}
        process = PROCESSES.Process(target=_run, args=(function, arguments, environment))
        with _modules_found():
            process.start()
    return process


def run(function, *arguments, failpoint=None, listed: Path | None = None) -> int:
    """Run a function like `start`; return the exit code, negative for the signal that has ended it."""
    return ended(start(function, *arguments, failpoint=failpoint, listed=listed))


def run_at_once(function, *arguments) -> list[int]:
    """Run a function in as many processes at once as there are arguments; return their exit codes."""
    processes = [start(function, *each) for each in arguments]
    return [ended(process) for process in processes]


def map_at_once(function, *iterables, processes=4) -> list:
    """Return what a function returns for each of some arguments, called in several processes at once."""
    with _starting:
        here = {"initializer": _as_here, "initargs": (dict(os.environ),)}
        with _modules_found(), ProcessPoolExecutor(processes, mp_context=PROCESSES, **here) as pool:
            return list(pool.map(function, *iterables))


def ended(process) -> int:
    process.join(timeout=600)
    return process.exitcode


def wait_until_stopped(process) -> None:
    """Wait until a process has reached a failpoint that stops it."""
    for _ in range(60_000):
        if psutil.Process(process.pid).status() == psutil.STATUS_STOPPED:
            return
        time.sleep(0.01)
    raise AssertionError("the process never came to its failpoint")


def go_on(process) -> None:
    os.kill(process.pid, signal.SIGCONT)


@contextmanager
def _modules_found():
    """Tell the process from which all others are forked where modules are: it knows only this of it."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("PYTHONPATH", os.pathsep.join(sys.path))
        yield


def _as_here(environment):
    os.environ.clear()
    os.environ.update(environment)


def _run(function, arguments, environment):
    _as_here(environment)
    # SIGKILL is the end that leaves no time to tidy up; SIGTERM shall be the one that does.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(ENDS["terminate"]))
    try:
        function(*arguments)
    except FailpointReached:
        sys.exit(ENDS["raise"])
