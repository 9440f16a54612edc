"""Who moves the champion, and that the alias follows the ledger."""

from datetime import date

import pytest
from synthetic_nights import NIGHT, pipeline_with, settings_at

from airloom.core.errors import GateError
from airloom.core.gate import Case, Judged
from airloom.core.gate import decide as judge
from airloom.core.records import Chosen
from airloom.steps.apply import align_alias, apply, apply_choice
from airloom.stores.ledger import Ledger
from airloom.stores.models import ModelRegistry
from airloom.stores.pins import Pins

PIPELINE = pipeline_with()
DELETED = 9


@pytest.fixture
def settings(tmp_path):
    return settings_at(tmp_path)


@pytest.fixture(autouse=True)
def alias(monkeypatch):
    """The registry's alias, without MLflow."""
    points = {}
    monkeypatch.setattr(ModelRegistry, "alias", lambda registry, name="champion": points.get(name))
    monkeypatch.setattr(ModelRegistry, "set_alias", lambda registry, name, version: points.update({name: version}))
    monkeypatch.setattr(ModelRegistry, "remove_alias", lambda registry, name: points.pop(name))
    monkeypatch.setattr(ModelRegistry, "version_info", version_info)
    return points


def version_info(registry, version):
    if version == DELETED:
        raise GateError(f"There is no version {version}.")


@pytest.fixture
def ledger(settings):
    return Ledger(settings.state_url)


def first(ledger, version=1):
    challenger = Judged(version=version, as_of=NIGHT, rows=500, rows_digest="r", metrics={"roc_auc": 0.7})
    case = Case(
        pipeline="late",
        partition=NIGHT,
        challenger=challenger,
        champion=None,
        head=ledger.head("late"),
        training_digest="t",
        pipeline_digest="d",
    )
    verdict = judge(case, PIPELINE.gate)
    ledger.record(verdict)
    return verdict.id


def choice(version=2, epoch=1, day=NIGHT, reason="it was wrong", action="rollback"):
    facts = {"pipeline": "late", "partition": day, "headline": action, "actor": "ann", "reason": reason}
    return Chosen(action=action, version=version, epoch=epoch, **facts)


def test_an_accepted_verdict_moves_champion_and_alias(settings, ledger, alias):
    applied = apply(PIPELINE, NIGHT, first(ledger), settings, "train")
    assert (applied.moved, applied.champion_version, applied.epoch, alias) == (True, 1, 1, {"champion": 1})


def test_a_verdict_that_is_applied_twice_moves_once(settings, ledger):
    verdict = first(ledger)
    apply(PIPELINE, NIGHT, verdict, settings, "train")
    assert not apply(PIPELINE, NIGHT, verdict, settings, "train").moved
    assert len(ledger.history("late")) == 1


def test_f9_an_alias_that_a_crash_has_left_behind_follows_when_it_is_applied_again(settings, ledger, alias):
    verdict = first(ledger)
    apply(PIPELINE, NIGHT, verdict, settings, "train")
    alias.clear()
    applied = apply(PIPELINE, NIGHT, verdict, settings, "train")
    assert alias == {"champion": 1}
    assert "the alias champion was nothing, and is version 1 again as in the ledger" in applied.headline


def test_f10_an_alias_that_somebody_has_moved_is_told_and_repaired(settings, ledger, alias, caplog):
    apply(PIPELINE, NIGHT, first(ledger), settings, "train")
    alias["champion"] = 7
    assert "version 7" in align_alias(PIPELINE, settings)
    assert alias == {"champion": 1}
    assert "late: the alias champion was version 7" in caplog.text
    assert align_alias(PIPELINE, settings) == ""


def test_an_alias_without_any_champion_in_the_ledger_is_removed(settings, alias):
    alias["champion"] = 7
    assert align_alias(PIPELINE, settings) == "the alias champion was version 7, and is nothing again as in the ledger"
    assert alias == {}


def test_a_choice_moves_the_champion_with_who_and_why(settings, ledger, alias):
    apply(PIPELINE, NIGHT, first(ledger), settings, "train")
    applied = apply_choice(PIPELINE, choice(), settings)
    row = ledger.history("late")[-1]
    assert (applied.moved, applied.champion_version, alias) == (True, 2, {"champion": 2})
    assert (row.epoch, row.version, row.actor, row.reason) == (2, 2, "ann", "rollback: it was wrong")
    assert row.verdict is None


def test_a_choice_that_is_applied_twice_moves_once(settings, ledger):
    apply(PIPELINE, NIGHT, first(ledger), settings, "train")
    apply_choice(PIPELINE, choice(), settings)
    assert not apply_choice(PIPELINE, choice(), settings).moved
    assert len(ledger.history("late")) == 2


def test_f7_a_choice_against_a_champion_that_has_moved_is_refused(settings, ledger, alias):
    apply(PIPELINE, NIGHT, first(ledger), settings, "train")
    apply_choice(PIPELINE, choice(version=3, reason="somebody was quicker"), settings)
    with pytest.raises(GateError, match="has moved since"):
        apply_choice(PIPELINE, choice(), settings)
    assert (ledger.head("late").version, alias) == (3, {"champion": 3})


def test_a_rollback_may_hold_from_an_earlier_day(settings, ledger):
    apply(PIPELINE, NIGHT, first(ledger), settings, "train")
    apply_choice(PIPELINE, choice(day=date(2024, 1, 8)), settings)
    assert ledger.champion_as_of("late", date(2024, 1, 9)).version == 2
    assert ledger.champion_as_of("late", date(2024, 1, 7)) is None


def test_a_pinned_champion_is_not_moved_by_a_verdict_until_it_is_let_go(settings, ledger):
    verdict = first(ledger)
    pins = Pins(settings.state_url)
    apply_choice(PIPELINE, choice(action="pin", reason="holidays"), settings)
    assert str(pins.current("late")) == "by ann: holidays"
    applied = apply(PIPELINE, NIGHT, verdict, settings, "train")
    assert (applied.moved, ledger.history("late")) == (False, [])
    assert applied.headline == "there is still no champion (first, pinned by ann: holidays)"
    apply_choice(PIPELINE, choice(action="unpin", reason="they are over"), settings)
    assert apply(PIPELINE, NIGHT, verdict, settings, "train").moved
    assert [row.pinned for row in pins.history("late")] == [True, False]


def test_people_may_move_a_pinned_champion(settings, ledger):
    apply(PIPELINE, NIGHT, first(ledger), settings, "train")
    apply_choice(PIPELINE, choice(action="pin"), settings)
    assert apply_choice(PIPELINE, choice(), settings).moved


def test_a_pin_that_is_set_twice_is_set_once(settings, ledger):
    for _ in range(2):
        apply_choice(PIPELINE, choice(action="pin"), settings)
    assert len(Pins(settings.state_url).history("late")) == 1


def test_a_version_that_was_deleted_meanwhile_leaves_the_ledger_as_it_was(settings, ledger):
    with pytest.raises(GateError, match="no version 9"):
        apply(PIPELINE, NIGHT, first(ledger, version=DELETED), settings, "train")
    assert ledger.history("late") == []
    apply(PIPELINE, NIGHT, first(ledger), settings, "train")
    with pytest.raises(GateError, match="no version 9"):
        apply_choice(PIPELINE, choice(version=DELETED), settings)
    assert ledger.head("late").version == 1
