import json
import os
import resource
import signal

import pytest
from openlineage.client.serde import Serde

from airloom.lineage.delivery.answer import ACCEPTED, Answer
from airloom.lineage.delivery.resend import resend
from airloom.lineage.delivery.sending import Sender
from airloom.lineage.delivery.unsent import Unsent
from tests.lineage.delivery.lineage_events import PATIENT, event, run_id, transport
from tests.lineage.receiver import ENDPOINT, receiving
from tests.worlds.processes import run, start

PROCESSES, EVENTS = 4, 10


@pytest.fixture
def unsent(tmp_path):
    return Unsent(tmp_path)


def keep(unsent, *numbers):
    for number in numbers:
        unsent.hold(Serde.to_json(event(number))).let_go()


def send_all(folder, url):
    return resend(Unsent(folder), Sender(url, PATIENT, {}), PATIENT, lambda *_: None)


def emit_many(folder, url, first):
    to_nobody = transport(url, folder)
    for number in range(first, first + EVENTS):
        to_nobody.emit(event(number))


def hold_and_wait(folder, url):
    transport(url, folder).emit(event())


def emit_with_a_full_disk(folder, url):
    """No file may become longer, as where a disk is full."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
    transport(url, folder).emit(event(text="x" * 50_000))


def test_where_the_disk_is_full_nothing_torn_is_left_and_the_event_is_still_sent(unsent, receiver, tmp_path):
    assert run(emit_with_a_full_disk, tmp_path, receiver.url + ENDPOINT) == 0
    assert receiver.statuses() == [("START", run_id(1))]
    assert list((tmp_path / "unsent").iterdir()) == []


def test_events_are_in_the_order_in_which_they_were_kept(unsent):
    keep(unsent, 3, 1, 2)
    found = [json.loads(path.read_text())["run"]["runId"] for path in unsent.paths()]
    assert found == [run_id(3), run_id(1), run_id(2)]


def test_an_event_that_somebody_is_sending_is_not_taken(unsent):
    held = unsent.hold("{}")
    [path] = unsent.paths()
    assert unsent.take(path) is None
    held.let_go()
    taken = unsent.take(path)
    assert taken is not None
    taken.settle(ACCEPTED)
    assert unsent.take(path) is None


def test_a_lost_event_can_be_taken_again(unsent):
    unsent.hold("{}").settle(Answer("lost", "no answer in time"))
    [path] = unsent.paths()
    assert unsent.take(path) is not None


def test_sending_again_says_how_far_it_is_and_forgets_what_was_accepted(unsent, receiver):
    keep(unsent, 1, 2, 3)
    looked = []
    sender = Sender(receiver.url + ENDPOINT, PATIENT, {})
    done = resend(unsent, sender, PATIENT, lambda number, total: looked.append((number, total)))
    assert (done.accepted, done.refused, done.left, done.problem) == (3, 0, 0, None)
    assert looked == [(1, 3), (2, 3), (3, 3)]
    assert [run for _, run in receiver.statuses()] == [run_id(1), run_id(2), run_id(3)]


def test_sending_again_stops_at_a_backend_that_is_away_and_keeps_everything(unsent, receiver):
    keep(unsent, *range(10))
    receiver.behaviour = 503
    done = send_all(unsent.folder, receiver.url + ENDPOINT)
    assert (done.accepted, done.left, done.problem) == (0, 10, "503 Service Unavailable")
    assert receiver.requests == 3


def test_what_is_no_document_is_put_aside_and_holds_up_nothing(unsent, receiver):
    unsent.hold('{"torn').let_go()
    keep(unsent, 1)
    done = send_all(unsent.folder, receiver.url + ENDPOINT)
    assert (done.accepted, done.refused, done.left) == (1, 1, 0)
    assert unsent.refusals() == [(None, "it is no JSON document")]


def test_two_that_send_again_at_once_while_tasks_go_on_send_each_event_once(unsent, receiver, tmp_path):
    keep(unsent, *range(1000, 1050))
    receiver.behaviour = 503
    tasks = [start(emit_many, tmp_path, receiver.url + ENDPOINT, number * EVENTS) for number in range(PROCESSES)]
    receiver.wait_for_requests()
    receiver.behaviour = 201
    senders = [start(send_all, tmp_path, receiver.url + ENDPOINT) for _ in range(2)]
    for process in (*tasks, *senders):
        process.join()
    send_all(tmp_path, receiver.url + ENDPOINT)
    runs = sorted(run for _, run in receiver.statuses())
    assert runs == [run_id(number) for number in (*range(PROCESSES * EVENTS), *range(1000, 1050))]


def test_a_process_that_is_killed_while_it_sends_leaves_the_event_to_others(unsent, receiver, tmp_path):
    receiver.behaviour = "hang"
    process = start(hold_and_wait, tmp_path, receiver.url + ENDPOINT)
    receiver.wait_for_requests()
    [path] = unsent.paths()
    assert unsent.take(path) is None
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    with receiving() as later:
        assert send_all(tmp_path, later.url + ENDPOINT).accepted == 1
        assert later.statuses() == [("START", run_id(1))]
