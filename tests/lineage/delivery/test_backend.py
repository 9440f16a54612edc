import logging
import os
import stat
import time

import pytest
from openlineage.client.event_v2 import RunState

from airloom.lineage.delivery.resend import resend
from airloom.lineage.delivery.sending import Sender
from airloom.lineage.delivery.unsent import Unsent
from tests.lineage.delivery.lineage_events import PATIENT, event, run_id, transport
from tests.lineage.receiver import ENDPOINT, nobody_listens

#: A backend that is away for a while, and the bound; a hang and a drip end only after the test has released them.
FAULTS = {"hang": 0.3, "drip": 0.3} | dict.fromkeys(("reset", "close", 500, 503, 429, 401, 404, 302), PATIENT)


def send_again(folder, url):
    return resend(Unsent(folder), Sender(url, PATIENT, {}), PATIENT, lambda *_: None)


@pytest.fixture
def own(receiver, tmp_path):
    """The transport to the receiver."""
    return transport(receiver.url + ENDPOINT, tmp_path)


def test_an_accepted_event_is_kept_nowhere(receiver, own, tmp_path):
    own.emit(event())
    assert receiver.statuses() == [("START", run_id(1))]
    assert Unsent(tmp_path).paths() == []


@pytest.mark.parametrize("fault", FAULTS)
def test_f37_a_backend_that_fails_costs_no_task_its_event(receiver, tmp_path, fault):
    """It returns before the backend does: what hangs is released only afterwards."""
    receiver.behaviour = fault
    transport(receiver.url + ENDPOINT, tmp_path, FAULTS[fault]).emit(event())
    assert not receiver.released.is_set()
    receiver.wait_for_requests()
    assert (receiver.requests, receiver.accepted) == (1, [])
    assert len(Unsent(tmp_path).paths()) == 1


@pytest.mark.parametrize("fault", FAULTS)
def test_f37_a_failure_is_met_once_and_later_all_is_sent_once(receiver, tmp_path, fault):
    receiver.behaviour = fault
    own = transport(receiver.url + ENDPOINT, tmp_path, FAULTS[fault])
    for state in (RunState.START, RunState.COMPLETE):
        own.emit(event(state=state))
    own.emit(event(2))
    receiver.wait_for_requests()
    assert receiver.requests == 1

    receiver.behaviour = 201
    receiver.released.set()
    while own.sender.busy:
        time.sleep(0.01)
    done = send_again(tmp_path, receiver.url + ENDPOINT)
    assert (done.accepted, done.left, done.problem) == (3, 0, None)
    assert receiver.statuses() == [("START", run_id(1)), ("COMPLETE", run_id(1)), ("START", run_id(2))]
    assert send_again(tmp_path, receiver.url + ENDPOINT).accepted == 0


def test_f37_where_nobody_listens_the_event_is_kept(receiver, tmp_path):
    transport(nobody_listens(), tmp_path).emit(event())
    assert send_again(tmp_path, receiver.url + ENDPOINT).accepted == 1
    assert receiver.statuses() == [("START", run_id(1))]


@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_refused_event_is_put_aside_with_the_answer_and_the_next_is_sent(receiver, own, tmp_path, status):
    receiver.behaviour = status
    own.emit(event(1))
    receiver.behaviour = 201
    own.emit(event(2))
    assert Unsent(tmp_path).paths() == []
    assert receiver.statuses() == [("START", run_id(2))]
    [(found, words)] = Unsent(tmp_path).refusals()
    assert found == status
    assert words.startswith(f"{status} ")


def test_a_failure_is_told_once_and_says_what_to_do(receiver, own, caplog):
    receiver.behaviour = 401
    with caplog.at_level(logging.WARNING):
        for number in range(3):
            own.emit(event(number))
    [message] = [record.getMessage() for record in caplog.records if record.name.startswith("airloom")]
    assert "401 Unauthorized" in message
    assert "airloom lineage resend" in message


def test_where_nothing_can_be_kept_events_are_still_sent_and_nothing_is_raised(receiver, tmp_path, caplog):
    blocked = tmp_path / "a file"
    blocked.touch()
    transport(receiver.url + ENDPOINT, blocked / "lineage").emit(event())
    assert receiver.statuses() == [("START", run_id(1))]
    assert "cannot be kept" in caplog.text


def test_where_nothing_can_be_kept_and_the_backend_fails_nothing_is_raised(receiver, tmp_path, caplog):
    receiver.behaviour = 500
    transport(receiver.url + ENDPOINT, "/dev/null/lineage").emit(event())
    assert "cannot be kept" in caplog.text
    assert "500 Internal Server Error" in caplog.text


def test_what_is_kept_is_readable_by_its_owner_only(receiver, own, tmp_path):
    before = os.umask(0)
    try:
        receiver.behaviour = 500
        own.emit(event())
    finally:
        os.umask(before)
    [path] = Unsent(tmp_path).paths()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_the_key_of_the_environment_is_sent_and_neither_kept_nor_told(receiver, tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("AIRLOOM_LINEAGE_API_KEY", "hush-hush")
    receiver.behaviour = 403
    with caplog.at_level(logging.DEBUG):
        transport(receiver.url + ENDPOINT, tmp_path, type="airloom.lineage.delivery.sending.KeyFromEnvironment").emit(
            event()
        )
    assert receiver.keys == ["Bearer hush-hush"]
    assert "hush-hush" not in caplog.text
    assert "hush-hush" not in Unsent(tmp_path).paths()[0].read_text()


def test_a_backend_without_a_key_is_asked_without_one(receiver, own):
    own.emit(event())
    assert receiver.keys == [None]
