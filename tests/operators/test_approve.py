"""Whom nobody asks, and what is made of an answer; the scheduler's part is in the system tests."""

from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace

import pytest
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException, TaskAwaitingInput
from airflow.sdk.execution_time import task_runner
from airflow.sdk.execution_time.comms import HITLDetailRequestResult

from airloom.core.gate import decide
from airloom.core.records import Answered, Decided
from airloom.core.rules import Gate
from airloom.core.verdict import Case, Judged, Proof
from airloom.operators.approve import ApproveOperator
from airloom.stores.ledger import Ledger

NIGHT = date(2013, 2, 10)
ANN = {"id": "7", "name": "ann"}


@pytest.fixture
def ledger(tmp_path, monkeypatch):
    monkeypatch.setenv("AIRLOOM_STATE_URL", f"sqlite:///{tmp_path / 'airloom.db'}")
    return Ledger(f"sqlite:///{tmp_path / 'airloom.db'}")


def recorded(ledger, auc=0.7, version=7):
    """A verdict on a first model: accepted when it reaches the floor."""
    case = Case(
        pipeline="parcels",
        partition=NIGHT,
        challenger=Judged(version=version, as_of=NIGHT, rows=500, rows_digest="r", metrics={"roc_auc": auc}),
        champion=None,
        head=None,
        proof=Proof(version=version, rows=500),
        training_digest="t",
        pipeline_digest="d",
    )
    verdict = decide(case, Gate(metric="roc_auc", baseline="none", floors={"roc_auc": 0.6}))
    ledger.record(verdict)
    return verdict


def task(verdict):
    decided = Decided(pipeline="parcels", partition=NIGHT, headline="", verdict=verdict.id, outcome=verdict.outcome)
    return ApproveOperator(
        task_id="approve",
        pipeline="parcels",
        decided=decided.to_xcom(),
        timeout=timedelta(hours=12),
        partition=str(NIGHT),
    )


class Airflow:
    """Keeps the first question of a task for ever, as Airflow does."""

    def __init__(self):
        self.shown = None

    def send(self, msg):
        self.shown = self.shown or HITLDetailRequestResult(**msg.model_dump(exclude={"type"}))
        return self.shown


@pytest.fixture
def airflow(monkeypatch):
    airflow = Airflow()
    monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", airflow, raising=False)
    return airflow


@pytest.fixture
def context():
    instance = SimpleNamespace(id="01a21258-928b-720a-95b5-50004840a77a")
    return {"ti": instance, "task_instance": instance}


def response(user, *chosen):
    at = datetime(2013, 2, 11, tzinfo=UTC)
    return {"chosen_options": list(chosen), "params_input": {}, "responded_by_user": user, "responded_at": at}


def answered(ledger, user, *chosen):
    verdict = recorded(ledger)
    record = task(verdict).execute_complete({}, response(user, *chosen), asked=verdict.id)
    return Answered.model_validate(record)


def test_nobody_is_asked_about_a_verdict_that_moves_nobody(ledger):
    with pytest.raises(AirflowSkipException, match="The verdict is rejected: the champion stays"):
        task(recorded(ledger, auc=0.5)).execute({})


def test_nobody_is_asked_about_a_verdict_that_has_moved_the_champion_before(ledger):
    verdict = recorded(ledger)
    ledger.promote(
        "parcels",
        expected_epoch=0,
        effective_from=NIGHT,
        version=7,
        verdict=verdict.id,
        actor="ann",
        reason="approve",
    )
    with pytest.raises(AirflowSkipException, match="has moved the champion before"):
        task(verdict).execute({})


def test_a_person_sees_the_verdict_and_is_awaited_for_the_declared_time(ledger, airflow, context):
    verdict = recorded(ledger)
    with pytest.raises(TaskAwaitingInput) as waits:
        task(verdict).execute(context)
    assert airflow.shown.subject == "Shall version 7 be the champion of parcels from 2013-02-10 on?"
    assert "| floor roc_auc | passed | 0.7000 | at least 0.6 |" in airflow.shown.body
    assert "Without an answer within 12 hours it will not be." in airflow.shown.body
    assert (airflow.shown.options, airflow.shown.defaults) == (["Approve", "Reject"], ["Reject"])
    assert (waits.value.timeout, waits.value.kwargs) == (timedelta(hours=12), {"asked": verdict.id})


def test_the_same_question_may_be_asked_again(ledger, airflow, context):
    verdict = recorded(ledger)
    for _ in range(2):
        with pytest.raises(TaskAwaitingInput):
            task(verdict).execute(context)


def test_nobody_is_shown_another_verdict_than_the_one_that_is_asked_about(ledger, airflow, context):
    with pytest.raises(TaskAwaitingInput):
        task(recorded(ledger)).execute(context)
    with pytest.raises(AirflowFailException, match="would show the question that this run has asked before"):
        task(recorded(ledger, version=8)).execute(context)


def test_an_approval_names_who_and_what(ledger):
    answer = answered(ledger, ANN, "Approve")
    assert (answer.approved, answer.actor, answer.headline) == (True, "ann", "approved by ann")
    assert answer.verdict == recorded(ledger).id


def test_a_refusal_is_an_answer_and_no_failure(ledger):
    answer = answered(ledger, ANN, "Reject")
    assert (answer.approved, answer.actor, answer.headline) == (False, "ann", "declined by ann")


def test_no_answer_in_time_is_no(ledger):
    answer = answered(ledger, None, "Reject")
    assert (answer.approved, answer.actor, answer.headline) == (False, "nobody", "nobody has answered in time")


def test_a_default_that_nobody_has_chosen_approves_nothing(ledger):
    assert not answered(ledger, None, "Approve").approved


def test_a_person_without_a_name_is_known_by_the_identifier(ledger):
    assert answered(ledger, {"id": "7", "name": ""}, "Approve").actor == "7"
