from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest

from airloom.core.errors import GateError
from airloom.stores.pins import Pins


@pytest.fixture
def pins(state_url):
    return Pins(state_url)


def set_pin(pins, pinned=True, reason="holidays"):
    return pins.set("p", pinned=pinned, actor="ann", reason=reason)


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
    with ProcessPoolExecutor(4, mp_context=get_context("spawn")) as pool:
        outcomes = list(pool.map(_pin, [pins.state_url] * 8))
    assert outcomes.count(True) == 1
    assert len(pins.history("p")) == 1
