"""The same days in other orders and through faults, each from an empty installation."""

import contextlib
import os
import signal
import time
from dataclasses import dataclass
from datetime import date

import psutil
import pytest

from tests.system.installation import FIRST, LAST, PIPELINE, Installation

pytestmark = [pytest.mark.system, pytest.mark.timeout(3600)]

#: Each is killed once, in the middle of whatever it is doing.
KILLED = {"extract", "publish", "compute", "materialize", "assemble", "fit", "evaluate", "score"}


@dataclass(frozen=True)
class Backwards:
    """An installation that has run the days backwards after an interrupted start, and rests.

    Args:
        installation: The installation.
        left: The processes that the interrupted start has left.
        state: What the days made.
        running: How many processes ran before it was stopped.
        stopped: The processes that were left after it was stopped.
    """

    installation: Installation
    left: list
    state: dict
    running: int
    stopped: list


@pytest.fixture(scope="module")
def backwards(tmp_path_factory, prepared_installation):
    empty = Installation.create(tmp_path_factory.mktemp("backwards") / "installation", prepared_installation)
    try:
        interrupt_start(empty)
        left = [process.cmdline() for process in empty.processes()]
        empty.airloom("up")
        empty.backfill("--backwards", "--max-active-runs", "1")
        state, running = empty.state(), len(empty.processes())
    finally:
        empty.airloom("down")
    return Backwards(empty, left, state, running, empty.processes())


def test_backwards_after_an_interrupted_start_ends_in_the_same_lake_and_online_store(backwards, request):
    assert backwards.left == []
    # Another worker may run these days meanwhile.
    state, reference = backwards.state, request.getfixturevalue("ran").state
    for table in (table for table in state["lake"] if table != "predictions"):
        assert state["lake"][table] == reference["lake"][table]
    assert state["online"] == reference["online"]
    assert [each for each, _ in state["champions"]] == [date.fromisoformat(LAST)]
    assert list(state["lake"]["predictions"]) == [date.fromisoformat(LAST)]


def test_stopping_leaves_no_process_behind(backwards):
    assert backwards.running >= 5
    assert backwards.stopped == []


@pytest.mark.parametrize("stage", ["ingest", "features", "train", "score"])
def test_airflows_own_dags_test_works_for_every_stage(backwards, stage):
    tested = backwards.installation.airflow("dags", "test", f"{PIPELINE}.{stage}", LAST)
    assert tested.returncode == 0, tested.stdout[-3000:]
    assert backwards.installation.runs(stage)[LAST] == "success"
    assert backwards.installation.lake() == backwards.state["lake"]


@pytest.mark.long
def test_one_day_at_a_time_with_killed_tasks_and_a_killed_command_ends_in_the_same_state(
    tmp_path, prepared_installation, ran
):
    empty = Installation.create(tmp_path / "installation", prepared_installation)
    try:
        empty.airloom("up")
        command = ("backfill", PIPELINE, "--from", FIRST, "--to", LAST, "--max-active-runs", "1")
        killed = kill_tasks(empty, empty.start(*command))
        empty.backfill("--max-active-runs", "1", "--reprocess", "failed")
        state = empty.state()
    finally:
        empty.airloom("down")
    assert killed == KILLED
    assert state == ran.state


def kill_tasks(installation, command):
    """Kill one running attempt of each kind of task, and the watching command itself as soon as half of them died."""
    left = set(KILLED)
    query = (
        "select t.task_id, t.pid from task_instance t join dag_run r using (dag_id, run_id) "
        "where t.state = 'running' and t.try_number = 1 and t.pid is not null and r.logical_date >= '2024-01-02'"
    )
    deadline = time.monotonic() + 1500
    while left and time.monotonic() < deadline and set(installation.runs("score").values()) != {"success"}:
        for task, pid in installation.ask(query):
            if task in left and kill(installation, pid):
                left.discard(task)
        if len(left) == len(KILLED) // 2 and command.poll() is None:
            command.kill()
            command.wait()
        time.sleep(0.02)
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
    command = installation.start("demo", PIPELINE, "--from", FIRST, "--to", LAST)
    deadline = time.monotonic() + 900
    while not (installation.settings.var / "run" / "scheduler.json").exists():
        assert time.monotonic() < deadline
        assert command.poll() is None, (installation.folder / "started.log").read_text()
        time.sleep(0.1)
    os.killpg(command.pid, signal.SIGINT)
    ended = command.wait(timeout=900)
    told = (installation.folder / "started.log").read_text()
    assert ended == 130, told
    assert "Traceback" not in told
