"""The same days in other orders and through faults, each from an empty installation."""

import contextlib
import os
import signal
import time

import psutil
import pytest
from installation import PIPELINE, Installation, day

pytestmark = pytest.mark.system

#: Each is killed once, in the middle of whatever it is doing.
KILLED = {"extract", "publish", "compute", "materialize", "assemble", "fit", "evaluate", "score"}


@pytest.fixture(scope="module")
def reference(installation, in_parallel):
    """The state of the range run in parallel; its servers would only take the cores from these tests."""
    installation.airloom("down")
    return in_parallel


@pytest.fixture
def empty(tmp_path):
    empty = Installation.create(tmp_path)
    try:
        yield empty
    finally:
        empty.airloom("down")


def test_one_day_at_a_time_with_killed_tasks_and_a_killed_command(empty, reference):
    empty.airloom("up")
    command = ("backfill", PIPELINE, "--from", "2013-01-01", "--to", "2013-01-07", "--max-active-runs", "1")
    killed = kill_tasks(empty, empty.start(*command))
    assert killed == KILLED
    empty.backfill("--max-active-runs", "1", "--reprocess", "failed")
    assert empty.state() == reference


def test_backwards_from_nothing_after_an_interrupted_start(empty, reference):
    interrupt_start(empty)
    assert empty.processes() == []
    empty.airloom("up")
    empty.backfill("--backwards", "--max-active-runs", "1")
    lake = empty.lake()
    for table in (table for table in lake if table != "predictions"):
        assert lake[table] == reference["lake"][table]
    assert empty.state()["online"] == reference["online"]
    assert [each for each, _ in empty.champions()] == [day(7)]
    assert list(lake["predictions"]) == [day(7)]


def kill_tasks(installation, command):
    """Kill one running attempt of each kind of task, and the watching command itself as soon as half of them died."""
    left = set(KILLED)
    query = "select task_id, pid from task_instance where state = 'running' and try_number = 1 and pid is not null"
    deadline = time.monotonic() + 600
    while left and time.monotonic() < deadline:
        for task, pid in installation.ask(query):
            if task in left and kill(installation, pid):
                left.discard(task)
        if len(left) == len(KILLED) // 2 and command.poll() is None:
            command.kill()
            command.wait()
        time.sleep(0.05)
    return KILLED - left


def kill(installation, pid):
    """Kill a process of this installation; it may have ended by now."""
    with contextlib.suppress(psutil.Error):
        process = psutil.Process(pid)
        if process.environ().get("AIRLOOM_VAR") == str(installation.settings.var):
            process.kill()
            return True
    return False


def interrupt_start(installation):
    """Press Ctrl-C as soon as servers are being started."""
    command = installation.start("demo", "--from", "2013-01-01", "--to", "2013-01-07")
    deadline = time.monotonic() + 240
    while not (installation.settings.var / "run" / "scheduler.json").exists():
        assert time.monotonic() < deadline
        assert command.poll() is None
        time.sleep(0.1)
    os.killpg(command.pid, signal.SIGINT)
    assert command.wait(timeout=120) == 130
    assert "Traceback" not in (installation.folder / "started.log").read_text()
