"""Processes that change what all share: one at a time, and none waits for ever."""

import os
import signal
from pathlib import Path

import psutil
import pytest
from sqlalchemy import text

from airloom.core.errors import SetupError
from airloom.core.settings import Settings
from airloom.stores.locks import exclusive
from airloom.stores.state import state_engine
from tests.servers.postgres import PASSWORD
from tests.worlds.processes import PROCESSES, run_at_once, start


@pytest.fixture
def settings(tmp_path, state_url):
    return Settings(project=Path(), var=tmp_path, state_url=state_url)


def _hold(settings, held):
    with exclusive(settings, "mlflow"):
        held.set()
        os.kill(os.getpid(), signal.SIGSTOP)


@pytest.fixture
def stopped(settings):
    """A process that was stopped while it held the lock."""
    held = PROCESSES.Event()
    process = start(_hold, settings, held)
    assert held.wait(60)
    while psutil.Process(process.pid).status() != psutil.STATUS_STOPPED:
        pass
    yield process
    process.kill()
    process.join()


def refused(settings) -> SetupError:
    with (
        pytest.raises(SetupError, match="keeps MLflow's state to itself") as told,
        exclusive(settings, "mlflow", 0.05),
    ):
        pytest.fail("it is held by another process")
    return told.value


def test_nobody_waits_for_ever_for_a_process_that_was_stopped(settings, stopped):
    assert f"after 0.05 s, as it seems by process {stopped.pid}" in refused(settings).found


@pytest.mark.parametrize("empty_state_url", ["sqlite"], indirect=True)
def test_the_lock_of_one_machine_is_told_with_its_file_and_process(settings, stopped):
    error = refused(settings)
    assert error.where == str(settings.var / "state" / "mlflow.lock")
    assert f"kill -9 {stopped.pid}" in error.do


@pytest.mark.parametrize("empty_state_url", ["postgresql"], indirect=True)
def test_the_lock_of_several_machines_is_told_with_its_session(settings, stopped):
    error = refused(settings)
    assert error.where.startswith("postgresql+psycopg://127.0.0.1:")
    assert PASSWORD not in str(error)
    with state_engine(settings.state_url).connect() as connection:
        holding = "SELECT pid FROM pg_stat_activity WHERE application_name LIKE :name"
        session = connection.execute(text(holding), {"name": f"process {stopped.pid} on %"}).scalar()
        assert f"pg_terminate_backend({session})" in error.do
        connection.execute(text(f"SELECT pg_terminate_backend({session})"))
    with exclusive(settings, "mlflow"):
        pass


def test_a_lock_goes_with_its_process(settings, stopped):
    stopped.kill()
    with exclusive(settings, "mlflow"):
        pass


def test_a_process_that_goes_on_is_waited_for(settings, stopped):
    os.kill(stopped.pid, signal.SIGCONT)
    with exclusive(settings, "mlflow"):
        pass


def test_who_holds_the_lock_may_ask_for_it_again(settings):
    with exclusive(settings, "mlflow"), exclusive(settings, "mlflow", 0):
        pass


def test_a_lock_that_was_let_go_can_be_taken_at_once(settings):
    for _ in range(3):
        with exclusive(settings, "mlflow", 0):
            pass


def test_another_lock_is_free(settings, stopped):
    with exclusive(settings, "features", 0):
        pass


def _count(settings, file, rounds):
    for _ in range(rounds):
        with exclusive(settings, "features"):
            number = int(file.read_text())
            file.write_text(str(number + 1))


def test_of_several_processes_one_at_a_time_does_what_it_does(settings, tmp_path):
    file = tmp_path / "count"
    file.write_text("0")
    run_at_once(_count, *[(settings, file, 20)] * 3)
    assert file.read_text() == "60"
