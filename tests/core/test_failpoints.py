import os
import signal
import subprocess
import sys
from collections import Counter

import pytest

from airloom.core import failpoints
from airloom.core.errors import UsageError
from airloom.core.failpoints import ARMED, LISTED, FailpointReached, failpoint

PASS = "from airloom.core.failpoints import failpoint; failpoint('commit.before'); print('went on', flush=True)"


@pytest.fixture(autouse=True)
def _unarmed(monkeypatch):
    monkeypatch.delenv(ARMED, raising=False)
    monkeypatch.delenv(LISTED, raising=False)
    monkeypatch.setattr(failpoints, "_passed", Counter())


def start(action):
    return subprocess.Popen(
        [sys.executable, "-c", PASS],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), ARMED: f"commit.before:{action}"},
        stdout=subprocess.PIPE,
        text=True,
    )


def test_a_failpoint_that_is_not_armed_does_nothing(monkeypatch):
    failpoint("commit.before")
    monkeypatch.setenv(ARMED, "commit.after:raise")
    failpoint("commit.before")


def test_an_armed_failpoint_raises_once(monkeypatch):
    monkeypatch.setenv(ARMED, "commit.before:raise")
    with pytest.raises(FailpointReached, match=r"commit\.before"):
        failpoint("commit.before")
    failpoint("commit.before")


def test_a_number_says_which_time_is_meant(monkeypatch):
    monkeypatch.setenv(ARMED, "commit.before#3:raise")
    failpoint("commit.before")
    failpoint("commit.before")
    with pytest.raises(FailpointReached):
        failpoint("commit.before")


def test_every_place_that_is_passed_is_listed_in_order(monkeypatch, tmp_path):
    monkeypatch.setenv(LISTED, str(tmp_path / "passed"))
    for name in ("one", "two", "one"):
        failpoint(name)
    assert (tmp_path / "passed").read_text().split() == ["one", "two", "one"]


def test_an_action_that_there_is_not_is_an_error(monkeypatch):
    monkeypatch.setenv(ARMED, "commit.before:explode")
    with pytest.raises(UsageError, match="cannot explode") as error:
        failpoint("commit.before")
    assert error.value.expected == "kill or terminate or stop or raise"


@pytest.mark.parametrize(("action", "number"), [("kill", signal.SIGKILL), ("terminate", signal.SIGTERM)])
def test_a_process_ends_by_the_signal_that_it_is_armed_with(action, number):
    process = start(action)
    assert process.communicate(timeout=600) == ("", None)
    assert process.returncode == -number


def test_a_stopped_process_goes_on_when_it_is_told_to():
    process = start("stop")
    _, status = os.waitpid(process.pid, os.WUNTRACED)
    assert os.WIFSTOPPED(status)
    process.send_signal(signal.SIGCONT)
    assert process.communicate(timeout=600) == ("went on\n", None)
