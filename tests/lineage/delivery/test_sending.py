import pytest
from openlineage.client.serde import Serde

from airloom.lineage.delivery.answer import ACCEPTED
from airloom.lineage.delivery.sending import Sender
from tests.lineage.delivery.lineage_events import PATIENT, event
from tests.lineage.receiver import ENDPOINT, nobody_listens

EVENT = Serde.to_json(event())


def send(url, timeout=PATIENT, seconds=PATIENT):
    return Sender(url, timeout, {}).send(EVENT, seconds)


def test_a_backend_that_takes_the_event_has_accepted_it(receiver):
    assert send(receiver.url + ENDPOINT) == ACCEPTED


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("reset", "Connection reset by peer"),
        ("close", "the connection was closed without an answer"),
        (500, "500 Internal Server Error"),
        (304, "304 Not Modified"),
        (302, "it redirects to another address, which is not followed"),
    ],
)
def test_it_is_told_in_words_why_an_event_is_lost(receiver, fault, words):
    receiver.behaviour = fault
    answer = send(receiver.url + ENDPOINT)
    assert (answer.outcome, answer.words) == ("lost", words)
    assert receiver.requests == 1


def test_nobody_who_listens_is_a_refused_connection():
    assert send(nobody_listens()).words == "Connection refused"


def test_a_hang_ends_by_the_timeout_of_the_socket_or_by_that_of_the_caller(receiver):
    receiver.behaviour = "hang"
    assert send(receiver.url + ENDPOINT, timeout=0.2).words == "no answer in time"
    assert send(receiver.url + ENDPOINT, seconds=0.2).words == "no answer within 0.2 seconds"
