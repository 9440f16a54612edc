"""How often a waiting trigger looks, and for how long; for what it looks is in test_under_way and test_readiness."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
import yaml

from airloom.scheduling.triggers import InputsTrigger, Look, Timeout, VerdictsTrigger, WaitTrigger, pause
from tests.worlds.nights import declaration_with

TWO = datetime(2024, 1, 11, 2, tzinfo=UTC)
COMING, MISSING = Look(False, "1 run of features under way", coming=True), Look(False, "1 awaited")
THERE = Look(True, "1 partition published")


class Scripted(WaitTrigger):
    """Finds one thing after the other."""

    seconds = 0.0

    def look(self, pipeline, partition, settings):
        return self.script.pop(0)


@pytest.fixture
def wait(tmp_path, monkeypatch):
    """Wait in a pipeline without patience; return the looks that were not needed."""
    monkeypatch.setenv("AIRLOOM_PROJECT", str(tmp_path))
    folder = tmp_path / "include" / "late"
    folder.mkdir(parents=True)
    declared = declaration_with()
    declared["schedule"] = {**declared["schedule"], "patience": "0h"}
    for name, content in {"pipeline.yaml": yaml.safe_dump(declared), "none.yaml": "", "none.sql": ""}.items():
        (folder / name).write_text(content)

    def wait_for(*script, day="2024-01-10"):
        trigger = Scripted("late", day)
        trigger.script = list(script)

        async def events():
            return [event async for event in trigger.run()]

        assert [type(event).__name__ for event in asyncio.run(events())] == ["TaskSuccessEvent"]
        return trigger.script

    return wait_for


@pytest.mark.parametrize(("waited", "expected"), [(0, 2), (20, 2), (60, 6), (150, 15), (7200, 15)])
def test_who_has_waited_longer_looks_less_often(waited, expected):
    assert pause(waited, least=2) == pytest.approx(expected)


def test_a_wait_of_two_hours_takes_few_looks():
    waited = looks = 0
    while waited < 7200:
        waited, looks = waited + pause(waited, least=1), looks + 1
    assert looks < 600


def over(first, *looks):
    """Look after so many minutes each; return at which look one hour of patience is over."""
    timeout = Timeout(timedelta(hours=1), TWO + timedelta(minutes=first))
    found = [timeout.is_over(TWO + timedelta(minutes=minute), coming) for minute, coming in looks]
    return found.index(True) if True in found else None


def test_patience_counts_from_the_first_look():
    assert over(0, (0, False), (59, False), (60, False)) == 2


def test_patience_counts_from_the_nightly_time_when_the_wait_began_before_it():
    assert over(600, (0, False), (599, False), (630, False), (661, False)) == 3


def test_patience_stands_still_while_an_input_is_coming():
    assert over(0, (0, False), (30, False), (31, True), (900, True), (901, False), (930, False), (931, False)) == 6


def test_patience_is_never_over_while_an_input_is_coming():
    assert over(0, (0, True), (6000, True), (60_000, True)) is None


def test_without_patience_only_an_input_that_is_coming_is_awaited(wait):
    assert wait(COMING, COMING, MISSING, THERE) == [THERE]


def test_a_wait_ends_when_everything_is_there(wait):
    assert wait(COMING, THERE, THERE) == [THERE]


def test_patience_is_not_over_before_the_days_nightly_time(wait, now):
    now("2024-01-11T05:30")
    assert wait(MISSING, MISSING, THERE) == []


@pytest.mark.parametrize(
    ("day", "said"),
    [
        ("2042-01-02", "2042-01-02 has not ended in"),
        ("2024-01-10T20:00:00+00:00", "which could mean 2024-01-10 or 2024-01-11"),
        ("", "This is not a partition"),
    ],
)
@pytest.mark.usefixtures("wait")
def test_a_day_that_may_not_run_is_not_waited_for(day, said):
    async def events():
        return [event async for event in Scripted("late", day).run()]

    [event] = asyncio.run(events())
    assert said in event.payload["error"]


@pytest.mark.parametrize(
    "trigger", [InputsTrigger("late", "2024-01-10", "score"), VerdictsTrigger("late", "2024-01-10")]
)
def test_a_trigger_is_made_again_from_what_is_kept_of_it(trigger):
    _, kept = trigger.serialize()
    again = type(trigger)(**kept)
    assert again.serialize() == trigger.serialize()


@pytest.mark.parametrize("kind", [InputsTrigger, VerdictsTrigger])
def test_a_trigger_that_an_older_version_has_deferred_is_made_again(kind):
    kept = {"pipeline": "late", "partition": "2024-01-10", "since": "2024-01-11T02:00:00+00:00"}
    again = kind(**kept, stage="score") if kind is InputsTrigger else kind(**kept)
    assert (again.pipeline, again.partition) == ("late", "2024-01-10")
