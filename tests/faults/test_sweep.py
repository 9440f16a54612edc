"""The sweep: die at every place between two durable effects, run again, and find what an undisturbed life leaves."""

import pickle
import shutil
import time
import traceback
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest
from invariants import check_invariants, end_state, observe
from processes import ENDS, run
from scenario import live, prepare, settings_at


@dataclass(frozen=True)
class Passing:
    """One time that a failpoint is passed.

    Args:
        task: How many tasks were done before.
        point: The failpoint.
        time: The how many-eth time that the task passes it.
    """

    task: int
    point: str
    time: int

    def armed(self, action):
        return f"{self.point}#{self.time}:{action}"


@dataclass(frozen=True)
class World:
    """Where lives are lived, always in the same folder: MLflow keeps absolute paths.

    Args:
        folder: Holds everything.
    """

    folder: Path

    @property
    def now(self) -> Path:
        return self.folder / "now"

    @property
    def settings(self):
        return settings_at(self.now)

    def keep(self, task: int) -> None:
        """Keep what there is before a task."""
        shutil.copytree(self.now, self.folder / f"before-{task}")
        (self.folder / f"seen-{task}").write_bytes(pickle.dumps(observe(self.settings)))

    def bring_back(self, task: int) -> None:
        shutil.rmtree(self.now)
        shutil.copytree(self.folder / f"before-{task}", self.now)

    def seen(self, task: int):
        return pickle.loads((self.folder / f"seen-{task}").read_bytes())


def undisturbed(folder, report):
    """Live without a fault, keeping what there is before each task."""
    world, tasks = World(folder), Counter()

    def keep():
        world.keep(tasks["done"])
        tasks["done"] += 1

    live(world.settings, keep)
    check_invariants(world.settings)
    report.write_text(end_state(world.settings))


def recovered(folder, task, report):
    """Check what a fault has left, run again, check when the interrupted task is done, and tell what there is then."""
    world, tasks = World(folder), Counter()
    before = check_invariants(world.settings, world.seen(task), recovered=False)

    def check():
        tasks["begun"] += 1
        if tasks["begun"] == 2:
            check_invariants(world.settings, before)

    live(world.settings, check)
    if tasks["begun"] < 2:
        check_invariants(world.settings, before)
    report.write_text(end_state(world.settings))


def reporting(report, function, *arguments):
    """Tell also how a function has failed."""
    try:
        function(*arguments)
    except BaseException:
        report.write_text(traceback.format_exc())
        raise


def passings(listed):
    """Return every passing in a list of failpoints; a task ends with the keeping of its record."""
    task, times, found = 0, Counter(), []
    for point in listed:
        times[point] += 1
        found.append(Passing(task, point, times[point]))
        if point == "task.before_record":
            task, times = task + 1, Counter()
    return found


def plan(found):
    """Kill at every passing; end in the other two ways at the last passing of every point."""
    last = {each.point: each for each in found}
    return [(each, "kill") for each in found] + [
        (each, action) for each in last.values() for action in ENDS if action != "kill"
    ]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sweep")
    assert run(prepare, World(folder).settings) == 0
    return World(folder)


def test_a_death_at_any_place_and_another_try_end_as_if_nothing_had_happened(world, capsys):
    report, listed = world.folder / "report", world.folder / "passed"
    assert run(undisturbed, world.folder, report, listed=listed) == 0
    expected, started, wrong = report.read_text(), time.monotonic(), []
    found = passings(listed.read_text().split())
    runs = plan(found)
    for passing, action in runs:
        world.bring_back(passing.task)
        died = run(live, world.settings, failpoint=passing.armed(action))
        report.write_text("")
        run(reporting, report, recovered, world.folder, passing.task, report)
        if (died, report.read_text()) != (ENDS[action], expected):
            wrong.append(f"{passing} {action}: ended with {died}\n{report.read_text()}")
    with capsys.disabled():
        points = len({each.point for each in found})
        print(f"\nswept {points} failpoints, passed {len(found)} times: {len(runs)} deaths and recoveries", end="")
        print(f" in {time.monotonic() - started:.0f} s, {len(wrong)} of them wrong")
    assert wrong == [], "\n\n".join(wrong)
