"""When training pauses and is tried again, over a real ledger, real notes and training sets on disk."""

import linecache
import logging
import sys
from datetime import timedelta

import numpy as np
import pytest

from airloom.core.errors import NotDue
from airloom.core.pipeline import Pipeline
from airloom.core.verdict import Judged, Proof, Verdict
from airloom.steps.circuit import announce_pause, current_pause, note_failure, require_training
from airloom.steps.provenance import recipe
from airloom.steps.training_sets import write_training_set
from airloom.stores.ledger import Ledger
from airloom.stores.notes import Notes
from tests.worlds.installation import project_at
from tests.worlds.nights import COLUMNS, NIGHT, declaration_with, example_rows, training_set

ALERTS = (
    "def tell(alert):\n    told.append(alert)\n\ndef broken(alert):\n    raise OSError('no such host')\n\n"
    "def leaving(alert):\n    raise SystemExit(1)\n\ntold = []\n"
)
CANDIDATE = "def fit(data, params, log):\n    return None\n"


@pytest.fixture
def settings(tmp_path, monkeypatch):
    """A project of one's own: its candidates can be changed."""
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "circuit_alerts.py").write_text(ALERTS)
    (tmp_path / "circuit_candidate.py").write_text(CANDIDATE)
    yield project_at(tmp_path)
    forget_modules()


def forget_modules():
    linecache.clearcache()
    for name in [each for each in sys.modules if each.startswith("circuit_")]:
        del sys.modules[name]


def change(settings, module, text):
    (settings.project / f"{module}.py").write_text(text)
    forget_modules()


def declared(alert="circuit_alerts:tell", params=None, **circuit):
    declaration = declaration_with(only={"fit": "circuit_candidate:fit", "params": params or {}})
    declaration["train"]["circuit"] = {"failures": 2, "retry_after": "7d", **circuit}
    return Pipeline.model_validate({**declaration, "alert": alert})


PIPELINE = declared()


def told():
    from circuit_alerts import told

    return told


def night(number):
    return NIGHT + timedelta(days=number)


def judged(settings, number, outcome="rejected", pipeline=PIPELINE, auc=0.5, training="t"):
    """Keep a verdict of a night and do what `decide` does after it."""
    challenger = Judged(version=1, as_of=night(number), rows=9, rows_digest="r", metrics={"roc_auc": auc})
    verdict = Verdict(
        pipeline="late",
        partition=night(number),
        challenger=challenger,
        champion=None,
        head=None,
        proof=Proof(version=1),
        training_digest=training,
        pipeline_digest=pipeline.digest,
        recipe=recipe(pipeline, settings),
        outcome=outcome,
        checks=(),
    )
    Ledger(settings.state_url).record(verdict)
    announce_pause(pipeline, settings)


def failed(settings, number, pipeline=PIPELINE):
    note_failure(pipeline, night(number), settings, "late.train some run")


def assembled(settings, number, rows=None, pipeline=PIPELINE):
    rows = example_rows(seed=number, night=night(number)) if rows is None else rows
    return training_set(pipeline, settings, rows, night(number))


def trains(settings, number, rows=None, pipeline=PIPELINE):
    """Tell whether a night is trained."""
    try:
        require_training(pipeline, assembled(settings, number, rows, pipeline), settings)
    except NotDue:
        return False
    return True


def paused(settings):
    return Notes(settings.state_url).of("late", "paused")


def test_a_pipeline_without_a_circuit_is_never_paused(settings):
    declaration = declaration_with(only={"fit": "circuit_candidate:fit"})
    without = Pipeline.model_validate({**declaration, "alert": "circuit_alerts:tell"})
    for number in range(5):
        judged(settings, number, pipeline=without)
    assert trains(settings, 5, pipeline=without)
    assert (current_pause(without, None, settings), paused(settings), told()) == (None, [], [])


def test_useless_nights_pause_training_until_it_is_tried_again(settings):
    assert trains(settings, 0)
    judged(settings, 0)
    assert trains(settings, 1)
    judged(settings, 1)
    assert [trains(settings, number) for number in (2, 7, 8, 9)] == [False, False, True, True]


def test_a_night_that_is_left_out_says_why_and_until_when(settings):
    judged(settings, 0, "incomparable")
    failed(settings, 1)
    with pytest.raises(NotDue) as caught:
        require_training(PIPELINE, assembled(settings, 2), settings)
    assert str(caught.value).splitlines() == [
        "Training is paused: 2 nights in a row without a usable challenger, from 2024-01-10 to 2024-01-11 (the last "
        "one failed); it is tried again on 2024-01-18, or when the data has changed.",
        "  do:       correct the candidates or the data",
    ]


def test_a_night_that_was_tried_in_vain_pauses_training_again_and_a_good_one_ends_the_pause(settings):
    for number in (0, 1, 8):
        judged(settings, number)
    assert [trains(settings, number) for number in (9, 14, 15)] == [False, False, True]
    judged(settings, 15, "tie")
    assert trains(settings, 16)
    assert current_pause(PIPELINE, None, settings) is None


def test_what_came_later_changes_no_earlier_night(settings):
    """A night of the past, run again or backfilled, is trained or not as it was then."""
    for number, outcome in enumerate(["rejected", "rejected", None, "better", "rejected", "rejected"]):
        if outcome:
            judged(settings, number, outcome)
    assert [trains(settings, number) for number in range(7)] == [True, True, False, False, True, True, False]
    assert current_pause(PIPELINE, night(3), settings).nights[-1].partition == night(1)
    assert current_pause(PIPELINE, night(4), settings) is None


def test_the_order_in_which_nights_were_judged_makes_no_difference(settings):
    judged(settings, 1)
    judged(settings, 0)
    assert [trains(settings, number) for number in (0, 1, 2)] == [True, True, False]
    assert len(paused(settings)) == len(told()) == 1


def test_a_parallel_backfill_is_stopped_as_soon_as_earlier_verdicts_are_known(settings):
    """As the tasks of three nights at once do: all assemble, then each looks again before it is evaluated."""
    training = [assembled(settings, number) for number in range(3)]
    for each in training:
        require_training(PIPELINE, each, settings)
    judged(settings, 0)
    judged(settings, 1)
    with pytest.raises(NotDue):
        require_training(PIPELINE, training[2], settings)


def test_the_verdict_of_a_night_counts_more_than_that_a_run_of_it_has_failed(settings):
    failed(settings, 0)
    judged(settings, 0, "tie")
    failed(settings, 0)
    failed(settings, 1)
    assert trains(settings, 2)


def test_of_a_night_that_was_judged_twice_the_last_verdict_counts(settings):
    judged(settings, 0)
    judged(settings, 1)
    assert not trains(settings, 2)
    judged(settings, 1, "better", auc=0.9)
    assert trains(settings, 2)


def test_another_declaration_starts_anew(settings):
    judged(settings, 0)
    judged(settings, 1)
    assert not trains(settings, 2)
    assert trains(settings, 2, pipeline=declared(params={"depth": 3}))


def test_other_code_of_a_candidate_starts_anew(settings):
    judged(settings, 0)
    judged(settings, 1)
    assert not trains(settings, 2)
    change(settings, "circuit_candidate", CANDIDATE.replace("None", "0"))
    assert trains(settings, 2)


@pytest.mark.parametrize("code", ["import nothing_of_this_name", "def fit(:", "1 / 0", "other = 1"])
def test_a_candidate_that_cannot_be_imported_counts_as_failed_night_after_night(settings, code):
    change(settings, "circuit_candidate", code)
    failed(settings, 0)
    failed(settings, 1)
    assert not trains(settings, 2)
    change(settings, "circuit_candidate", CANDIDATE)
    assert trains(settings, 2)


def test_new_data_is_tried_before_the_time_and_compared_with_the_last_useless_night(settings, caplog):
    for number in range(2):
        assembled(settings, number)
        judged(settings, number)
    assert not trains(settings, 2)
    far = example_rows(seed=3, night=night(3))
    far["distance"] += 3000
    with caplog.at_level(logging.WARNING):
        assert trains(settings, 3, far)
    assert "because the data has changed: distance by" in caplog.text
    judged(settings, 3)
    assert not trains(settings, 4, far)
    assert trains(settings, 5)


def test_how_far_the_data_may_drift_is_declared(settings):
    tolerant = declared(drift=100)
    for number in range(2):
        assembled(settings, number)
        judged(settings, number, pipeline=tolerant)
    far = example_rows(seed=3, night=night(3))
    far["distance"] += 3000
    assert not trains(settings, 3, far, tolerant)


def test_the_label_is_data_too(settings):
    for number in range(2):
        assembled(settings, number)
        judged(settings, number)
    rows = example_rows(seed=3, night=night(3))
    rows["late"] = np.where(np.arange(len(rows)) % 20 == 0, 1.0, 0.0)
    assert trains(settings, 3, rows)


@pytest.mark.parametrize(("before", "now", "said"), [((), ("dew",), "dew is new"), (("dew",), (), "dew is gone")])
def test_a_column_that_only_one_training_set_has_is_a_change(settings, caplog, before, now, said):
    elsewhere = assembled(settings, 50)

    def with_columns(number, more):
        columns = COLUMNS.model_copy(update={"numeric": (*COLUMNS.numeric, *more)})
        rows = example_rows(seed=number, night=night(number)).assign(**dict.fromkeys(more, 1.0))
        _, path = write_training_set(PIPELINE, night(number), rows, columns, settings)
        return elsewhere.model_copy(update={"partition": night(number), "path": path})

    for number in range(2):
        with_columns(number, before)
        judged(settings, number)
    with caplog.at_level(logging.WARNING):
        require_training(PIPELINE, with_columns(2, now), settings)
    assert f"the column {said}" in caplog.text


def test_data_is_compared_with_what_was_judged_and_not_with_what_was_only_assembled_again(settings):
    judged(settings, 0)
    judged(settings, 1, training=assembled(settings, 1).digest)
    before, again = (example_rows(seed=seed, night=night(1)) for seed in (1, 2))
    again["distance"] += 3000
    assembled(settings, 1, again)
    assert [trains(settings, 2, before), trains(settings, 2, again)] == [False, True]


def test_without_a_training_set_to_compare_with_the_pause_holds(settings):
    failed(settings, 0)
    failed(settings, 1)
    assert not trains(settings, 2)


def test_a_failed_night_without_a_training_set_is_skipped_when_data_is_compared(settings):
    assembled(settings, 0)
    failed(settings, 0)
    failed(settings, 1)
    far = example_rows(seed=3, night=night(3))
    far["distance"] += 3000
    assert [trains(settings, 2), trains(settings, 3, far)] == [False, True]


def test_one_alert_tells_of_a_pause_however_long_it_lasts(settings, caplog):
    with caplog.at_level(logging.ERROR):
        for number in (0, 1, 1, 8):
            judged(settings, number)
            failed(settings, number)
        assert not trains(settings, 9)
    [alert] = told()
    assert (alert.pipeline, alert.partition) == ("late", night(1))
    assert alert.message == paused(settings)[0].reason
    assert alert.message.startswith("training is paused: 2 nights in a row")
    assert [record.levelname for record in caplog.records] == ["ERROR"]


def test_a_pause_that_turns_out_to_have_begun_earlier_is_the_same(settings):
    for number in (2, 1, 0):
        judged(settings, number)
    assert len(told()) == len(paused(settings)) == 1


def test_another_pause_has_its_own_alert(settings):
    for number, outcome in enumerate(["rejected", "rejected", "better", "rejected", "rejected"]):
        judged(settings, number, outcome)
    assert [alert.partition for alert in told()] == [night(1), night(4)]


def test_a_pause_in_the_past_is_told_when_it_leaves_out_a_night(settings):
    """Night 4 was judged before the backfill of the nights before it, so that no pause holds today."""
    judged(settings, 4, "better")
    judged(settings, 0)
    judged(settings, 1)
    assert told() == []
    assert [trains(settings, 2), trains(settings, 3), trains(settings, 5)] == [False, False, True]
    assert len(told()) == 1


@pytest.mark.parametrize(
    "alert", ["circuit_alerts:broken", "circuit_alerts:leaving", "circuit_alerts:missing", "circuit_nowhere:tell"]
)
def test_an_alert_that_cannot_be_sent_is_logged_and_fails_nothing(settings, caplog, alert):
    pipeline = declared(alert=alert)
    failed(settings, 0, pipeline)
    failed(settings, 1, pipeline)
    assert "The alert of late could not be sent." in caplog.text
    assert len(paused(settings)) == 1
    assert not trains(settings, 2, pipeline=pipeline)


def test_a_pause_needs_no_alert_function(settings):
    quiet = declared(alert=None)
    failed(settings, 0, quiet)
    failed(settings, 1, quiet)
    assert len(paused(settings)) == 1
