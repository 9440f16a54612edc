"""Events of lineage in a bucket: one object each, and one object a day once the day is over."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from airloom.core.failpoints import ARMED, FailpointReached
from airloom.stores import kept_events
from airloom.stores.files import create_file, files_below
from airloom.stores.kept_events import count_kept, keep_event, kept_lines, pack_events

DAYS = ("2024-01-01", "2024-01-02", "2024-01-03")
#: More than are read side by side.
EACH_DAY = 40


def line(day, number):
    return json.dumps({"eventTime": f"{day}T02:00:{number:02}", "said": "two\u2028lines"}, ensure_ascii=False)


@pytest.fixture
def events(bucket):
    """The lines of three days that are over, and of one event of now, as they are to be read."""
    for day in DAYS:
        for number in reversed(range(EACH_DAY)):
            create_file(bucket / day / f"0200{number:02}.000000-{number:08x}.json", line(day, number) + "\n")
    keep_event(bucket, line("now", 0))
    return [*(line(day, number) for day in DAYS for number in range(EACH_DAY)), line("now", 0)]


def objects(bucket):
    return [each.place for each in files_below(bucket)]


def test_a_day_that_is_over_becomes_one_object_with_the_same_events(bucket, events):
    assert pack_events(bucket, dry_run=False).files == len(DAYS) * (EACH_DAY - 1)
    assert list(kept_lines(bucket)) == events
    assert [each.parent.name for each in objects(bucket)[:-1]] == list(DAYS)
    assert count_kept(bucket) == len(events)


def test_a_dry_run_counts_and_changes_nothing(bucket, events):
    before = objects(bucket)
    assert pack_events(bucket, dry_run=True).files == len(DAYS) * (EACH_DAY - 1)
    assert objects(bucket) == before


def test_done_again_it_does_nothing(bucket, events):
    pack_events(bucket, dry_run=False)
    before = objects(bucket)
    assert pack_events(bucket, dry_run=False).files == 0
    assert objects(bucket) == before


def test_what_was_interrupted_is_read_once_and_done_by_the_next(bucket, events, monkeypatch):
    monkeypatch.setenv(ARMED, "lineage.after_packing:raise")
    with pytest.raises(FailpointReached):
        pack_events(bucket, dry_run=False)
    assert len(objects(bucket)) == len(events) + 1
    assert list(kept_lines(bucket)) == events
    monkeypatch.delenv(ARMED)
    pack_events(bucket, dry_run=False)
    assert (len(objects(bucket)), list(kept_lines(bucket))) == (len(DAYS) + 1, events)


def test_an_event_that_comes_late_is_put_to_the_others_of_its_day(bucket, events):
    pack_events(bucket, dry_run=False)
    create_file(bucket / DAYS[0] / "015900.000000-00000000.json", line(DAYS[0], 99) + "\n")
    assert pack_events(bucket, dry_run=False).files == 1
    assert list(kept_lines(bucket)) == [line(DAYS[0], 99), *events]


def test_whoever_reads_meanwhile_finds_every_event_once(bucket, events, monkeypatch):
    read, packed = kept_events.read_bytes, []

    def pack_then_read(place):
        if not packed:
            packed.append(True)
            pack_events(bucket, dry_run=False)
        return read(place)

    monkeypatch.setattr(kept_events, "read_bytes", pack_then_read)
    assert list(kept_lines(bucket)) == events


def test_two_at_once_leave_what_one_leaves(bucket, events):
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda _: pack_events(bucket, dry_run=False), range(2)))
    assert (len(objects(bucket)), list(kept_lines(bucket))) == (len(DAYS) + 1, events)
