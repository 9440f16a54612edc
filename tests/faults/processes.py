"""Processes that may die: forked from one that has imported everything, so that a process costs milliseconds."""

import os
import signal
import sys
import threading
import time
from multiprocessing import get_context
from pathlib import Path

import psutil
import pytest

from airloom.core.failpoints import ARMED, LISTED, FailpointReached

#: How a process ends that a failpoint has ended, by action.
ENDS = {"kill": -signal.SIGKILL, "terminate": 143, "raise": 70}

_starting = threading.Lock()
_forks = get_context("forkserver")
_forks.set_forkserver_preload(["tests.faults.preloaded"])


def start(function, *arguments, failpoint=None, listed: Path | None = None):
    """Start a function in a process of its own, with a failpoint armed or with every one that it passes listed."""
    # The process from which all others are forked knows only this of where modules are.
    with _starting, pytest.MonkeyPatch.context() as patched:
        patched.setenv("PYTHONPATH", os.pathsep.join(sys.path))
        process = _forks.Process(target=_run, args=(function, arguments, failpoint, listed and str(listed)))
        process.start()
    return process


def run(function, *arguments, failpoint=None, listed: Path | None = None) -> int:
    """Run a function like `start`; return the exit code, negative for the signal that has ended it."""
    return ended(start(function, *arguments, failpoint=failpoint, listed=listed))


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


def _run(function, arguments, failpoint, listed):
    settings = {ARMED: failpoint, LISTED: listed}
    os.environ.update({name: value for name, value in settings.items() if value})
    # SIGKILL is the end that leaves no time to tidy up; SIGTERM shall be the one that does.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(ENDS["terminate"]))
    try:
        function(*arguments)
    except FailpointReached:
        sys.exit(ENDS["raise"])
