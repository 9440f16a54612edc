"""A night whose champion has moved since its challenger was scored, or since it was judged."""

import shutil
from datetime import timedelta

import pytest

from airloom.core.records import Answered
from airloom.core.rules import Promotion
from airloom.launcher.status import read_status
from airloom.steps.apply import apply
from airloom.steps.decide import decide
from airloom.steps.evaluate import evaluate
from airloom.steps.fit import fit
from airloom.steps.prove import prove
from airloom.stores.ledger import Ledger
from airloom.stores.notes import Notes
from airloom.stores.pins import Pins
from tests.worlds.installation import settings_at
from tests.worlds.nights import NIGHT, pipeline_with, training_set

BEFORE, LATER = NIGHT - timedelta(days=1), NIGHT + timedelta(days=1)
RATE = {"fit": "tests.worlds.candidates:by_rate"}
FLAT, HALF = ({**RATE, "params": {"share": share}} for share in (0.0, 0.5))


class Night:
    """A night with a good challenger, version 3, and versions 1 (no good at all) and 2 (as good) of other nights."""

    def __init__(self, settings):
        self.settings = settings
        self.pipeline = pipeline_with(only=RATE)
        self.ledger = Ledger(settings.state_url)
        self.training = training_set(self.pipeline, settings)

    def evaluate(self, champion, pipeline=None):
        declared = pipeline or self.pipeline
        fitted = [fit(declared, NIGHT, "only", self.training, self.settings)]
        return evaluate(declared, NIGHT, self.training, fitted, champion, self.settings)

    def decide(self, evaluation):
        proven = prove(self.pipeline, NIGHT, evaluation, self.settings)
        return self.ledger.verdict(decide(self.pipeline, NIGHT, evaluation, proven, self.settings).verdict)

    def apply(self, verdict, evaluation, answer=None):
        return apply(self.pipeline, NIGHT, verdict.id, self.settings, "late.train a run", answer, evaluation)

    def promote(self, version, day=BEFORE):
        epoch = len(self.ledger.history("late"))
        facts = {"version": version, "verdict": None, "actor": "ann", "reason": "promote: for a test"}
        self.ledger.promote("late", expected_epoch=epoch, effective_from=day, **facts)

    @property
    def champions(self):
        return [row.version for row in self.ledger.history("late")]

    @property
    def outcomes(self):
        return [verdict.outcome for verdict in self.ledger.verdicts("late")]

    @property
    def notes(self):
        return [(note.kind, note.subject) for note in Notes(self.settings.state_url).of("late")]


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """A state database with both other versions, and the challenger trained; no test changes it."""
    night = Night(settings_at(tmp_path_factory.mktemp("night")))
    for other in (FLAT, HALF):
        night.evaluate(None, pipeline_with(only=other))
    fit(night.pipeline, NIGHT, "only", night.training, night.settings)
    return night.settings


@pytest.fixture
def night(template, tmp_path):
    settings = settings_at(tmp_path)
    shutil.copytree(template.var / "state", settings.var / "state")
    return Night(settings)


@pytest.mark.parametrize(("champion", "outcome"), [(1, "better"), (2, "tie")])
def test_a_champion_that_came_since_the_evaluation_is_what_the_challenger_is_judged_against(night, champion, outcome):
    evaluation = night.evaluate(None)
    night.promote(champion)
    verdict = night.decide(evaluation)
    assert (verdict.challenger.version, verdict.champion.version, verdict.outcome) == (3, champion, outcome)
    assert verdict.champion.rows_digest == verdict.challenger.rows_digest
    assert night.decide(evaluation) == verdict
    assert night.outcomes == [outcome]


def test_a_challenger_that_is_older_than_the_new_champion_is_not_compared_with_it(night):
    evaluation = night.evaluate(None)
    night.promote(1, LATER)
    verdict = night.decide(evaluation)
    assert (verdict.champion, verdict.outcome) == (None, "older")


def test_a_person_is_asked_about_the_verdict_against_the_new_champion(night):
    night.pipeline = night.pipeline.model_copy(update={"promotion": Promotion(approval="required")})
    evaluation = night.evaluate(None)
    night.promote(1)
    verdict = night.decide(evaluation)
    assert night.apply(verdict, evaluation, approved(verdict)).moved
    assert night.champions == [1, 3]


def test_a_verdict_that_came_too_late_is_judged_again_and_applied(night):
    evaluation = night.evaluate(None)
    first = night.decide(evaluation)
    night.promote(1)
    applied = night.apply(first, evaluation)
    assert (applied.moved, applied.champion_version, night.champions) == (True, 3, [1, 3])
    second = night.ledger.verdict(night.ledger.history("late")[-1].verdict)
    assert (first.champion, second.champion.version, night.outcomes) == (None, 1, ["first", "better"])
    assert night.notes == [("superseded", first.id)]
    assert [each.version for each in applied.inputs if each.name == "verdict"] == [second.id]
    assert read_status(night.pipeline, night.settings).verdict.outcome == "better"


def test_a_champion_that_left_and_came_back_is_judged_against_again(night):
    night.promote(1)
    evaluation = night.evaluate(1)
    first = night.decide(evaluation)
    night.promote(2)
    night.promote(1)
    assert night.apply(first, evaluation).moved
    assert night.champions == [1, 2, 1, 3]


def test_a_second_judgement_may_leave_the_champion(night):
    evaluation = night.evaluate(None)
    first = night.decide(evaluation)
    night.promote(2)
    applied = night.apply(first, evaluation)
    assert (applied.moved, night.champions, night.outcomes) == (False, [2], ["first", "tie"])
    assert applied.headline.startswith("champion stays version 2 (tie")


@pytest.mark.parametrize("champion", [1, 2])
def test_a_night_that_was_judged_again_and_runs_again_changes_nothing(night, champion):
    evaluation = night.evaluate(None)
    first = night.decide(evaluation)
    night.promote(champion)
    night.apply(first, evaluation)
    kept = night.champions, night.outcomes, night.notes
    assert not night.apply(first, evaluation).moved
    assert not night.apply(night.decide(evaluation), evaluation).moved
    assert (night.champions, night.outcomes, night.notes) == kept


def test_a_night_is_judged_again_once(night, monkeypatch):
    evaluation = night.evaluate(None)
    first = night.decide(evaluation)

    def promote_another(name):
        if name == "promote.before_row":
            with monkeypatch.context() as undisturbed:
                undisturbed.setattr("airloom.stores.ledger.failpoint", lambda _name: None)
                night.promote(1)

    monkeypatch.setattr("airloom.stores.ledger.failpoint", promote_another)
    applied = night.apply(first, evaluation)
    assert (applied.moved, night.champions, night.outcomes) == (False, [1, 1], ["first", "better"])
    assert applied.headline.startswith("champion stays version 1 (better, superseded")
    assert [kind for kind, _ in night.notes] == ["superseded", "superseded"]


def test_a_verdict_that_a_person_has_approved_is_not_replaced_by_another(night):
    night.pipeline = night.pipeline.model_copy(update={"promotion": Promotion(approval="required")})
    evaluation = night.evaluate(None)
    first = night.decide(evaluation)
    night.promote(1)
    applied = night.apply(first, evaluation, approved(first))
    assert "superseded: the champion has moved meanwhile" in applied.headline
    assert (night.champions, night.outcomes, night.notes) == ([1], ["first"], [("superseded", first.id)])


def test_a_challenger_that_became_older_is_not_judged_again(night):
    evaluation = night.evaluate(None)
    first = night.decide(evaluation)
    night.promote(1, LATER)
    assert "superseded" in night.apply(first, evaluation).headline
    assert (night.champions, night.outcomes) == ([1], ["first"])


def test_a_pinned_champion_is_not_judged_against_again(night):
    evaluation = night.evaluate(None)
    first = night.decide(evaluation)
    night.promote(1)
    Pins(night.settings.state_url).set("late", pinned=True, actor="ann", reason="holidays")
    assert "pinned by ann: holidays" in night.apply(first, evaluation).headline
    assert (night.champions, night.outcomes) == ([1], ["first"])


def approved(verdict):
    return Answered(
        pipeline="late", partition=NIGHT, headline="approved by ann", verdict=verdict.id, approved=True, actor="ann"
    )
