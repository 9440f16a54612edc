from concurrent.futures import ThreadPoolExecutor, wait
from datetime import date
from functools import partial

import pytest

from airloom.core.errors import ChampionMoved, ChampionPinned, GateError
from airloom.stores.ledger import Ledger
from airloom.stores.pins import Pins
from airloom.stores.state_schema import upgrade_state
from tests.worlds.processes import map_at_once


@pytest.fixture
def pins(state_url):
    return Pins(state_url)


def set_pin(pins, pinned=True, reason="holidays", condition=None):
    return pins.set("p", pinned=pinned, actor="ann", reason=reason, condition=condition)


def pin_epoch(ledger, epoch):
    return set_pin(Pins(ledger.state_url), condition=partial(ledger.require_epoch, "p", epoch))


def promote(ledger, version, even_pinned=False):
    facts = {"effective_from": date(2013, 2, 1), "verdict": None, "actor": "a run", "reason": "better"}
    return ledger.promote("p", expected_epoch=version - 1, version=version, even_pinned=even_pinned, **facts)


def test_nothing_is_pinned_at_first(pins):
    assert pins.current("p") is None


def test_a_pin_holds_until_it_is_let_go(pins):
    pin = set_pin(pins)
    assert pins.current("p") == pin
    set_pin(pins, pinned=False)
    assert pins.current("p") is None
    assert [row.pinned for row in pins.history("p")] == [True, False]


def test_pinning_again_changes_nothing(pins):
    set_pin(pins, reason="first")
    assert set_pin(pins, reason="second") is None
    assert [row.reason for row in pins.history("p")] == ["first"]


def _pin(url):
    try:
        return set_pin(Pins(url)) is not None
    except GateError:
        return False


def test_of_several_processes_that_pin_at_once_exactly_one_does(pins):
    outcomes = map_at_once(_pin, [pins.state_url] * 8)
    assert outcomes.count(True) == 1
    assert len(pins.history("p")) == 1


def test_a_pinned_champion_is_moved_by_people_only(pins):
    ledger = Ledger(pins.state_url)
    promote(ledger, 1)
    pin_epoch(ledger, 1)
    with pytest.raises(ChampionPinned, match="is pinned") as refused:
        promote(ledger, 2)
    assert refused.value.found == "by ann: holidays"
    promote(ledger, 2, even_pinned=True)
    assert [row.version for row in ledger.history("p")] == [1, 2]


def begun_before_its_commit(monkeypatch, first, second):
    """Do something, and another thing in the moment before its commit, which must wait; return the other's future."""
    begun = []

    def reached(_name):
        if not begun:
            begun.append(pool.submit(second))
            assert not wait(begun, timeout=1).done

    monkeypatch.setattr("airloom.stores.ledger_tables.failpoint", reached)
    with ThreadPoolExecutor(1) as pool:
        first()
    return begun[0]


def test_a_pin_that_comes_while_the_champion_moves_does_not_hold_another_one(pins, monkeypatch):
    ledger = Ledger(pins.state_url)
    promote(ledger, 1)
    pin = begun_before_its_commit(monkeypatch, lambda: promote(ledger, 2), lambda: pin_epoch(ledger, 1))
    assert isinstance(pin.exception(), ChampionMoved)
    assert pins.current("p") is None


@pytest.mark.parametrize("even_pinned", [False, True])
def test_a_champion_that_is_about_to_move_while_it_is_pinned_moves_only_for_people(pins, even_pinned, monkeypatch):
    ledger = Ledger(pins.state_url)
    promote(ledger, 1)
    move = begun_before_its_commit(
        monkeypatch, lambda: pin_epoch(ledger, 1), lambda: promote(ledger, 2, even_pinned=even_pinned)
    )
    assert isinstance(move.exception(), ChampionPinned) is not even_pinned
    assert len(ledger.history("p")) == (2 if even_pinned else 1)


def test_another_pipeline_is_not_waited_for_where_the_database_has_several_writers(postgres, monkeypatch):
    url = postgres.create("two_pipelines")
    upgrade_state(url)
    ledger = Ledger(url)
    facts = {"effective_from": date(2013, 2, 1), "verdict": None, "actor": "a run", "reason": "better", "version": 1}
    others = []

    def reached(_name):
        if not others:
            others.append(None)
            others.append(ledger.promote("another", expected_epoch=0, **facts))

    monkeypatch.setattr("airloom.stores.ledger_tables.failpoint", reached)
    promote(ledger, 1)
    assert [ledger.head(name).version for name in ("p", "another")] == [1, 1]


def test_what_waited_sees_what_was_committed_meanwhile_whatever_the_database_does_by_default(postgres, monkeypatch):
    url = postgres.create("stale")
    postgres.run("ALTER DATABASE stale SET default_transaction_isolation = 'repeatable read'")
    upgrade_state(url)
    ledger = Ledger(url)
    promote(ledger, 1)
    move = begun_before_its_commit(monkeypatch, lambda: pin_epoch(ledger, 1), lambda: promote(ledger, 2))
    assert isinstance(move.exception(), ChampionPinned)
