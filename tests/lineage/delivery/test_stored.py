"""Events in a bucket, where several machines write them."""

import json

from airloom.lineage.delivery.stored import StoredConfig, StoredTransport
from airloom.lineage.events import read_events
from airloom.stores.kept_events import count_kept
from tests.lineage.delivery.lineage_events import event
from tests.worlds.processes import run_at_once


def emit(place, number):
    """In a process of its own, as a task does."""
    StoredTransport(StoredConfig(str(place))).emit(event(number))


def test_events_of_several_processes_are_all_kept(bucket):
    assert run_at_once(emit, *[(bucket, number) for number in range(4)]) == [0] * 4
    kept = list(read_events(bucket))
    assert count_kept(bucket) == len(kept) == 4
    assert {each["run"]["runId"] for each in kept} == {event(number).run.runId for number in range(4)}


def test_events_are_read_in_the_order_in_which_they_were_told(bucket):
    for number in range(30):
        emit(bucket, number)
    assert [each["run"]["runId"] for each in read_events(bucket)] == [event(number).run.runId for number in range(30)]


def test_a_bucket_without_events_has_none(bucket):
    assert (list(read_events(bucket)), count_kept(bucket)) == ([], 0)


def test_an_event_is_kept_as_the_client_writes_it(bucket):
    from openlineage.client.serde import Serde

    emit(bucket, 1)
    assert list(read_events(bucket)) == [json.loads(Serde.to_json(event(1)))]
