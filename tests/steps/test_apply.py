"""Who moves the champion, and that the alias follows the ledger."""

from datetime import date, timedelta
from functools import partial

import pytest

from airloom.core.errors import ChampionMoved, GateError
from airloom.core.gate import decide as judge
from airloom.core.records import Answered, Chosen
from airloom.core.rules import Promotion
from airloom.core.verdict import Case, Comparison, Effect, Judged, Proof
from airloom.steps.apply import apply, apply_choice
from airloom.stores.ledger import Ledger
from airloom.stores.models import ModelRegistry
from airloom.stores.notes import Notes
from airloom.stores.pins import Pins
from tests.worlds import registered
from tests.worlds.nights import NIGHT, pipeline_with

PIPELINE = pipeline_with()
ASKING = PIPELINE.model_copy(update={"promotion": Promotion(approval="required")})
LATER = NIGHT + timedelta(days=1)


@pytest.fixture
def settings(registry_settings):
    return registry_settings


@pytest.fixture
def ledger(settings):
    return Ledger(settings.state_url)


def judged(version, day, auc):
    return Judged(version=version, as_of=day, rows=500, rows_digest="r", metrics={"roc_auc": auc})


def accepted(ledger, version=1, day=NIGHT):
    """Record a verdict that accepts a version against the champion of now."""
    head = ledger.head("late")
    effect = Effect(metric="roc_auc", challenger=0.8, champion=0.7, gain=0.1, lower=0.05, upper=0.2)
    case = Case(
        pipeline="late",
        partition=day,
        challenger=judged(version, day, 0.8),
        champion=judged(head.version, head.as_of, 0.7) if head else None,
        head=head,
        comparison=Comparison(effect=effect) if head else None,
        proof=Proof(version=version, rows=500),
        training_digest="t",
        pipeline_digest="d",
    )
    verdict = judge(case, PIPELINE.gate)
    assert verdict.accepted
    ledger.record(verdict)
    return verdict.id


def alias(settings):
    return ModelRegistry(settings, "late").alias()


def choice(version=2, epoch=1, day=NIGHT, reason="it was wrong", action="rollback"):
    facts = {"pipeline": "late", "partition": day, "headline": action, "actor": "ann", "reason": reason}
    return Chosen(action=action, version=version, epoch=epoch, **facts)


def said(approved, verdict, actor="ann"):
    words = f"approved by {actor}" if approved else f"declined by {actor}"
    return Answered(pipeline="late", partition=NIGHT, headline=words, verdict=verdict, approved=approved, actor=actor)


def test_an_accepted_verdict_moves_champion_and_alias(settings, ledger):
    applied = apply(PIPELINE, NIGHT, accepted(ledger), settings, "train")
    assert (applied.moved, applied.champion_version, applied.epoch, alias(settings)) == (True, 1, 1, 1)
    assert ModelRegistry(settings, "late").noted_epoch() == 1


def test_f17_a_verdict_that_is_applied_twice_moves_once(settings, ledger):
    verdict = accepted(ledger)
    first, second = (apply(PIPELINE, NIGHT, verdict, settings, "train") for _ in range(2))
    assert (first.moved, second.moved) == (True, False)
    assert (second.champion_version, second.epoch) == (first.champion_version, first.epoch)
    assert len(ledger.history("late")) == 1


def test_f7_a_verdict_against_a_champion_that_has_moved_is_superseded(settings, ledger):
    mine, other = accepted(ledger, 1), accepted(ledger, 2)
    apply(PIPELINE, NIGHT, other, settings, "the quicker run")
    applied = apply(PIPELINE, NIGHT, mine, settings, "the slower run")
    assert (applied.moved, applied.champion_version, alias(settings)) == (False, 2, 2)
    assert "superseded: the champion has moved meanwhile" in applied.headline
    assert [(note.kind, note.subject) for note in Notes(settings.state_url).of("late")] == [("superseded", mine)]
    assert len(ledger.history("late")) == 1


def test_a_verdict_about_another_pipeline_is_refused(settings, ledger):
    verdict = accepted(ledger)
    other = PIPELINE.model_copy(update={"name": "early"})
    with pytest.raises(GateError, match="about another pipeline"):
        apply(other, NIGHT, verdict, settings, "train")
    assert (ledger.history("early"), ModelRegistry(settings, "early").alias()) == ([], None)


def test_f9_an_alias_that_a_crash_has_left_behind_follows_when_it_is_applied_again(settings, ledger):
    verdict = accepted(ledger)
    apply(PIPELINE, NIGHT, verdict, settings, "train")
    ModelRegistry(settings, "late").remove_alias("champion")
    applied = apply(PIPELINE, NIGHT, verdict, settings, "train")
    assert alias(settings) == 1
    assert "the alias champion was nothing, and is version 1 again as in the ledger" in applied.headline


def test_f16_a_backfill_of_january_promotes_nobody_over_the_champion_of_february(settings, ledger):
    verdict = accepted(ledger, 3, NIGHT - timedelta(days=40))
    apply(PIPELINE, NIGHT, accepted(ledger, 4), settings, "tonight")
    applied = apply(PIPELINE, NIGHT - timedelta(days=40), verdict, settings, "the backfill")
    assert (applied.moved, applied.champion_version, alias(settings)) == (False, 4, 4)
    assert ledger.verdict(verdict).challenger.version == 3


def test_a_choice_moves_the_champion_with_who_and_why(settings, ledger):
    apply(PIPELINE, NIGHT, accepted(ledger), settings, "train")
    applied = apply_choice(PIPELINE, choice(), settings)
    row = ledger.history("late")[-1]
    assert (applied.moved, applied.champion_version, alias(settings)) == (True, 2, 2)
    assert (row.epoch, row.version, row.actor, row.reason) == (2, 2, "ann", "rollback: it was wrong")
    assert row.verdict is None


def test_a_choice_that_is_applied_twice_moves_once(settings, ledger):
    apply(PIPELINE, NIGHT, accepted(ledger), settings, "train")
    apply_choice(PIPELINE, choice(), settings)
    assert not apply_choice(PIPELINE, choice(), settings).moved
    assert len(ledger.history("late")) == 2


def test_f7_a_choice_against_a_champion_that_has_moved_is_refused(settings, ledger):
    apply(PIPELINE, NIGHT, accepted(ledger), settings, "train")
    apply_choice(PIPELINE, choice(version=3, reason="somebody was quicker"), settings)
    with pytest.raises(ChampionMoved, match="has moved since"):
        apply_choice(PIPELINE, choice(), settings)
    assert (ledger.head("late").version, alias(settings)) == (3, 3)


def test_a_rollback_may_hold_from_an_earlier_day(settings, ledger):
    apply(PIPELINE, NIGHT, accepted(ledger), settings, "train")
    apply_choice(PIPELINE, choice(day=date(2024, 1, 8)), settings)
    assert ledger.champion_as_of("late", date(2024, 1, 9)).version == 2
    assert ledger.champion_as_of("late", date(2024, 1, 7)) is None


def test_a_pinned_champion_is_not_moved_by_a_verdict_until_it_is_let_go(settings, ledger):
    verdict = accepted(ledger)
    pins = Pins(settings.state_url)
    apply_choice(PIPELINE, choice(action="pin", reason="holidays", epoch=0), settings)
    assert str(pins.current("late")) == "by ann: holidays"
    applied = apply(PIPELINE, NIGHT, verdict, settings, "train")
    assert (applied.moved, ledger.history("late")) == (False, [])
    assert applied.headline == "there is still no champion (first, pinned by ann: holidays)"
    apply_choice(PIPELINE, choice(action="unpin", reason="they are over"), settings)
    assert apply(PIPELINE, NIGHT, verdict, settings, "train").moved
    assert [row.pinned for row in pins.history("late")] == [True, False]


def test_a_champion_that_is_pinned_in_the_last_moment_is_not_moved_by_a_verdict(settings, ledger, monkeypatch):
    verdict, pins = accepted(ledger), Pins(settings.state_url)
    pin = partial(pins.set, "late", pinned=True, actor="ann", reason="holidays")
    monkeypatch.setattr("airloom.stores.ledger.failpoint", lambda _name: pin())
    applied = apply(PIPELINE, NIGHT, verdict, settings, "train")
    assert (applied.moved, ledger.history("late")) == (False, [])
    assert applied.headline == "there is still no champion (first, pinned by ann: holidays)"


def test_people_may_move_a_pinned_champion(settings, ledger):
    apply(PIPELINE, NIGHT, accepted(ledger), settings, "train")
    apply_choice(PIPELINE, choice(action="pin"), settings)
    assert apply_choice(PIPELINE, choice(), settings).moved


def test_a_pin_that_is_set_twice_is_set_once(settings, ledger):
    apply(PIPELINE, NIGHT, accepted(ledger), settings, "train")
    for _ in range(2):
        apply_choice(PIPELINE, choice(action="pin"), settings)
    assert len(Pins(settings.state_url).history("late")) == 1


def test_f7_another_champion_than_the_chosen_one_is_not_pinned(settings, ledger):
    apply(PIPELINE, NIGHT, accepted(ledger), settings, "train")
    pinned_first = choice(version=1, action="pin")
    apply(PIPELINE, LATER, accepted(ledger, 2, LATER), settings, "the quicker run")
    with pytest.raises(ChampionMoved, match="has moved since"):
        apply_choice(PIPELINE, pinned_first, settings)
    assert Pins(settings.state_url).history("late") == []


def test_a_pin_that_is_applied_again_after_the_champion_was_rolled_back_changes_nothing(settings, ledger):
    apply(PIPELINE, NIGHT, accepted(ledger), settings, "train")
    apply_choice(PIPELINE, choice(version=1, action="pin"), settings)
    apply_choice(PIPELINE, choice(), settings)
    assert apply_choice(PIPELINE, choice(version=1, action="pin"), settings).champion_version == 2
    assert [row.pinned for row in Pins(settings.state_url).history("late")] == [True]


def test_a_version_that_was_deleted_meanwhile_leaves_the_ledger_as_it_was(settings, ledger):
    verdict = accepted(ledger, version=9)
    registered.delete(settings, 9)
    with pytest.raises(GateError, match="no version 9"):
        apply(PIPELINE, NIGHT, verdict, settings, "train")
    assert ledger.history("late") == []
    apply(PIPELINE, NIGHT, accepted(ledger), settings, "train")
    with pytest.raises(GateError, match="no version 9"):
        apply_choice(PIPELINE, choice(version=9), settings)
    assert ledger.head("late").version == 1


def test_f26_a_champion_whose_version_was_deleted_can_be_rolled_back(settings, ledger):
    apply(PIPELINE, NIGHT, accepted(ledger, 1), settings, "train")
    apply(PIPELINE, LATER, accepted(ledger, 2, LATER), settings, "train")
    registered.delete(settings, 2)
    applied = apply_choice(PIPELINE, choice(version=1, epoch=2, day=LATER), settings)
    assert (applied.champion_version, alias(settings)) == (1, 1)
    assert "cannot be version 2 again as in the ledger: late has no version 2" in applied.headline


def test_a_pipeline_that_asks_for_approval_moves_nobody_without_it(settings, ledger):
    verdict = accepted(ledger)
    assert not apply(ASKING, NIGHT, verdict, settings, "train").moved
    applied = apply(ASKING, NIGHT, verdict, settings, "train", said(False, verdict))
    assert applied.headline == "there is still no champion (first, declined by ann)"
    assert [(note.kind, note.reason) for note in Notes(settings.state_url).of("late")] == [
        ("declined", "nobody has approved it"),
        ("declined", "declined by ann"),
    ]


def test_each_answer_to_a_verdict_is_noted_and_a_run_that_is_repeated_notes_none_twice(settings, ledger):
    verdict, notes = accepted(ledger), Notes(settings.state_url)
    for who in ("ann", "bob", "ann"):
        for _ in range(2):
            apply(ASKING, NIGHT, verdict, settings, "train", said(False, verdict, who))
    assert [(note.actor, note.number) for note in notes.of("late", "declined")] == [("ann", 1), ("bob", 2), ("ann", 3)]
    assert apply(ASKING, NIGHT, verdict, settings, "train", said(True, verdict)).moved
    assert len(notes.of("late")) == 3


def test_an_approved_verdict_moves_the_champion_in_the_name_of_who_has_approved_it(settings, ledger):
    verdict = accepted(ledger)
    applied = apply(ASKING, NIGHT, verdict, settings, "train", said(True, verdict))
    row = ledger.history("late")[-1]
    assert (applied.moved, row.actor) == (True, "ann")
    assert row.reason.startswith("approve: first: floor roc_auc 0.8000")


def test_an_approval_of_another_verdict_moves_nobody(settings, ledger):
    other = accepted(ledger, 2)
    applied = apply(ASKING, NIGHT, accepted(ledger), settings, "train", said(True, other))
    assert applied.headline == "there is still no champion (first, nobody has approved it)"
