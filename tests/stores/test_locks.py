"""Processes that change what all share in MLflow: one at a time, and none waits for ever."""

import os
import signal
from multiprocessing import get_context
from pathlib import Path

import psutil
import pytest

from airloom.core.errors import SetupError
from airloom.core.settings import Settings
from airloom.stores.tracking import exclusive

SPAWN = get_context("spawn")


@pytest.fixture
def settings(tmp_path):
    return Settings(project=Path(), var=tmp_path, state_url=f"sqlite:///{tmp_path}/state/airloom.db")


def _hold(settings, held):
    with exclusive(settings):
        held.set()
        os.kill(os.getpid(), signal.SIGSTOP)


@pytest.fixture
def stopped(settings):
    """A process that was stopped while it held the lock."""
    held = SPAWN.Event()
    process = SPAWN.Process(target=_hold, args=(settings, held))
    process.start()
    assert held.wait(60)
    while psutil.Process(process.pid).status() != psutil.STATUS_STOPPED:
        pass
    yield process
    process.kill()
    process.join()


def test_nobody_waits_for_ever_for_a_process_that_was_stopped(settings, stopped):
    with pytest.raises(SetupError, match="keeps MLflow's state to itself") as refused, exclusive(settings, 0.05):
        pytest.fail("it is held by another process")
    assert refused.value.where == str(settings.var / "state" / "mlflow.lock")
    assert f"after 0.05 s, as it seems by process {stopped.pid}" in refused.value.found
    assert f"kill -9 {stopped.pid}" in refused.value.do


def test_a_lock_goes_with_its_process(settings, stopped):
    stopped.kill()
    with exclusive(settings):
        pass


def test_a_process_that_goes_on_is_waited_for(settings, stopped):
    os.kill(stopped.pid, signal.SIGCONT)
    with exclusive(settings):
        pass


def test_who_holds_the_lock_may_ask_for_it_again(settings):
    with exclusive(settings), exclusive(settings, 0):
        pass
