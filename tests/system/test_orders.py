"""The same days in other orders and through faults, each from an empty installation."""

import contextlib
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import date

import psutil
import pytest

from tests.system.installation import FIRST, LAST, PIPELINE, Installation

pytestmark = [pytest.mark.system, pytest.mark.timeout(1800)]

#: Each is killed once, in the middle of whatever it is doing.
KILLED = {"extract", "publish", "compute", "materialize", "assemble", "fit", "evaluate", "score"}


@pytest.fixture(scope="module")
def reference(installation, in_parallel):
    """The state of the range run in parallel; its servers would only take the cores from these tests."""
    installation.airloom("down")
    return in_parallel


@pytest.fixture(scope="module")
def orders(tmp_path_factory, reference):
    """Both runs at the same time: one day at a time leaves most of a machine idle."""
    ways = {forwards_with_kills: None, backwards_after_an_interrupted_start: None}
    with ThreadPoolExecutor(len(ways)) as pool:
        for way in ways:
            ways[way] = pool.submit(way, Installation.create(tmp_path_factory.mktemp(way.__name__)))
    return ways


def forwards_with_kills(empty):
    try:
        empty.airloom("up")
        command = ("backfill", PIPELINE, "--from", FIRST, "--to", LAST, "--max-active-runs", "1")
        killed = kill_tasks(empty, empty.start(*command))
        empty.backfill("--max-active-runs", "1", "--reprocess", "failed")
        return killed, empty.state()
    finally:
        empty.airloom("down")


def backwards_after_an_interrupted_start(empty):
    try:
        interrupt_start(empty)
        left = [process.cmdline() for process in empty.processes()]
        empty.airloom("up")
        empty.backfill("--backwards", "--max-active-runs", "1")
        return left, empty.state()
    finally:
        empty.airloom("down")


def test_one_day_at_a_time_with_killed_tasks_and_a_killed_command_ends_in_the_same_state(orders, reference):
    killed, state = orders[forwards_with_kills].result()
    assert killed == KILLED
    assert state == reference


def test_backwards_after_an_interrupted_start_ends_in_the_same_lake_and_online_store(orders, reference):
    left, state = orders[backwards_after_an_interrupted_start].result()
    assert left == []
    for table in (table for table in state["lake"] if table != "predictions"):
        assert state["lake"][table] == reference["lake"][table]
    assert state["online"] == reference["online"]
    assert [each for each, _ in state["champions"]] == [date.fromisoformat(LAST)]
    assert list(state["lake"]["predictions"]) == [date.fromisoformat(LAST)]


def kill_tasks(installation, command):
    """Kill one running attempt of each kind of task, and the watching command itself as soon as half of them died."""
    left = set(KILLED)
    query = (
        "select t.task_id, t.pid from task_instance t join dag_run r using (dag_id, run_id) "
        "where t.state = 'running' and t.try_number = 1 and t.pid is not null and r.logical_date >= '2013-01-04'"
    )
    deadline = time.monotonic() + 1500
    while left and time.monotonic() < deadline and set(installation.runs("score").values()) != {"success"}:
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
        if installation.owns(process):
            process.kill()
            return True
    return False


def interrupt_start(installation):
    """Press Ctrl-C as soon as servers are being started."""
    command = installation.start("demo", "--from", FIRST, "--to", LAST)
    deadline = time.monotonic() + 600
    while not (installation.settings.var / "run" / "scheduler.json").exists():
        assert time.monotonic() < deadline
        assert command.poll() is None
        time.sleep(0.1)
    os.killpg(command.pid, signal.SIGINT)
    ended = command.wait(timeout=300)
    told = (installation.folder / "started.log").read_text()
    assert ended == 130, told
    assert "Traceback" not in told
