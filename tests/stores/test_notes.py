from datetime import UTC, date, datetime
from functools import partial
from itertools import pairwise

import pytest

from airloom.stores.notes import Notes
from tests.worlds.processes import map_at_once

NIGHT = date(2013, 2, 1)


@pytest.fixture
def notes(state_url):
    return Notes(state_url)


def add(notes, kind="failed", night=NIGHT, subject="recipe", pipeline="p", reason="why"):
    return notes.add(pipeline, kind, night, subject, "p.train some run", reason)


def test_there_are_no_notes_at_first(notes):
    assert notes.of("p") == []


def test_a_note_is_read_back_whole_with_the_moment_in_utc(notes):
    before = datetime.now(UTC)
    assert add(notes)
    [note] = notes.of("p")
    assert (note.kind, note.partition, note.subject) == ("failed", NIGHT, "recipe")
    assert (note.actor, note.reason) == ("p.train some run", "why")
    assert before <= note.decided_at <= datetime.now(UTC)


def test_the_same_fact_is_kept_once_as_it_was_said_first(notes):
    assert add(notes, reason="first")
    assert not add(notes, reason="second")
    assert [note.reason for note in notes.of("p")] == ["first"]


def test_another_kind_night_subject_or_pipeline_is_another_fact(notes):
    other_night = date(2013, 2, 2)
    assert all([add(notes), add(notes, kind="paused"), add(notes, night=other_night), add(notes, subject="other")])
    assert add(notes, pipeline="q")
    assert (len(notes.of("p")), len(notes.of("q"))) == (4, 1)


def test_notes_are_told_by_kind_in_the_order_in_which_they_were_made(notes):
    for kind in ("superseded", "failed", "declined", "paused"):
        add(notes, kind=kind)
    assert [note.kind for note in notes.of("p")] == ["superseded", "failed", "declined", "paused"]
    assert [note.kind for note in notes.of("p", "paused", "superseded")] == ["superseded", "paused"]


def _answer(number, url):
    return Notes(url).add_answer("p", NIGHT, "a verdict", f"person {number % 2}", "declined")


def test_of_several_processes_that_note_answers_at_once_none_is_lost(notes):
    outcomes = map_at_once(partial(_answer, url=notes.state_url), range(8))
    found = notes.of("p")
    assert [note.number for note in found] == list(range(1, outcomes.count(True) + 1))
    assert {note.actor for note in found} == {"person 0", "person 1"}
    assert all(earlier.actor != later.actor for earlier, later in pairwise(found))


def _note(url):
    return add(Notes(url), kind="paused")


def test_of_several_processes_that_note_the_same_at_once_exactly_one_is_told_that_it_is_new(notes):
    outcomes = map_at_once(_note, [notes.state_url] * 8)
    assert outcomes.count(True) == 1
    assert len(notes.of("p")) == 1
