"""The sweep: die at every place between two durable effects, run again, and find what an undisturbed life leaves."""

import time
import traceback
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import cycle

import pytest

from tests.faults.invariants import check_invariants, end_state
from tests.faults.scenario import live
from tests.worlds.processes import ENDS, run


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


def passings(listed):
    """Return every passing in a list of failpoints; a task ends with the keeping of its record."""
    task, times, found = 0, Counter(), []
    for point in listed:
        times[point] += 1
        found.append(Passing(task, point, times[point]))
        if point == "task.before_record":
            task, times = task + 1, Counter()
    return found


def every_end(found):
    """Kill at every passing; end in the other two ways at the last passing of every point."""
    return [(each, "kill") for each in found] + [
        (each, action) for each in last_passings(found) for action in ENDS if action != "kill"
    ]


def one_end_each(found):
    """End once at the last passing of every point, in the three ways in turn."""
    return list(zip(last_passings(found), cycle(ENDS), strict=False))


def last_passings(found):
    return list({each.point: each for each in found}.values())


def recover(world, task, report):
    """Check what a fault has left, run again, check when the interrupted task is done, and tell what there is then."""
    tasks = Counter()
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


def sweep(world, runs):
    """Die and recover; return what went wrong."""
    report, wrong = world.folder / "report", []
    for passing, action in runs:
        world.bring_back(passing.task)
        died = run(live, world.settings, failpoint=passing.armed(action))
        report.write_text("")
        run(reporting, report, recover, world, passing.task, report)
        if (died, report.read_text()) != (ENDS[action], world.end):
            wrong.append(f"{passing} {action}: ended with {died}\n{report.read_text()}")
    return wrong


@pytest.mark.parametrize(
    "plan", [one_end_each, pytest.param(every_end, marks=[pytest.mark.long, pytest.mark.timeout(3600)])]
)
def test_a_death_at_any_place_and_another_try_end_as_if_nothing_had_happened(worlds, record_property, plan):
    started = time.monotonic()
    found = passings(worlds[0].passed)
    runs = plan(found)
    shares = [runs[first :: len(worlds)] for first in range(len(worlds))]
    with ThreadPoolExecutor(len(worlds)) as pool:
        wrong = [each for share in pool.map(sweep, worlds, shares) for each in share]
    points, seconds = len({each.point for each in found}), time.monotonic() - started
    record_property("failpoints", f"{points}, passed {len(found)} times")
    record_property("deaths and recoveries", f"{len(runs)} in {seconds:.0f} s, {len(wrong)} of them wrong")
    assert wrong == [], "\n\n".join(wrong)
