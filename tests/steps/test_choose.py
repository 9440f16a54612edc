from datetime import date

import pytest

from airloom.core.errors import GateError, UsageError
from airloom.steps.choose import choose
from airloom.stores.ledger import Ledger
from airloom.stores.pins import Pins
from tests.worlds.nights import pipeline_with

PIPELINE = pipeline_with()
FIRST, NOW = date(2024, 1, 6), date(2024, 1, 20)


@pytest.fixture
def settings(registry_settings):
    return registry_settings


def champions(settings, *versions):
    """Promote versions one after the other; a negative one is rolled back to."""
    for epoch, version in enumerate(versions):
        Ledger(settings.state_url).promote(
            "late",
            expected_epoch=epoch,
            effective_from=FIRST.replace(day=FIRST.day + epoch),
            version=abs(version),
            verdict=None,
            actor="test",
            reason="rollback: worse" if version < 0 else "better",
        )


def wish(settings, action="rollback", version=None, reason="it was wrong", day=NOW):
    return choose(PIPELINE, day, action, version, "ann", reason, settings)


@pytest.mark.parametrize(
    ("history", "previous"),
    [((1, 2), 1), ((1, 2, 5), 2), ((1, 2, 5, -2), 1), ((1, 2, 1), 2), ((1, 2, 5, -2, 7), 2), ((1, 2, -9), 2)],
)
def test_a_rollback_goes_to_the_champion_before(settings, history, previous):
    champions(settings, *history)
    chosen = wish(settings)
    assert (chosen.version, chosen.epoch, chosen.partition) == (previous, len(history), NOW)
    assert (chosen.actor, chosen.reason) == ("ann", "it was wrong")


def test_a_rollback_may_name_any_version_and_any_day(settings):
    champions(settings, 1, 2)
    assert wish(settings, version=7, day=FIRST).version == 7


def test_a_promotion_needs_no_champion_before(settings):
    assert (wish(settings, "promote", 3).version, wish(settings, "promote", 3).epoch) == (3, 0)


@pytest.mark.parametrize(
    ("history", "arguments", "message"),
    [
        ((), {"action": "pin"}, "late has no champion"),
        ((1,), {"action": "unpin"}, "is not pinned"),
        ((), {}, "no champion that could be rolled back"),
        ((1,), {}, "nothing to roll back to"),
        ((1, 2), {"version": 2}, "the champion already"),
        ((1, 2), {"version": 10}, "no version 10"),
        ((1, 2), {"action": "promote", "version": 3, "day": FIRST}, "cannot go back in time"),
    ],
)
def test_what_cannot_be_is_refused(settings, history, arguments, message):
    champions(settings, *history)
    with pytest.raises(GateError, match=message):
        wish(settings, **arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"action": "pine"}, "no action 'pine'"),
        ({"action": "pin", "version": 2}, "takes no version"),
        ({"reason": " "}, "without a reason"),
        ({"action": "promote"}, "names a version"),
    ],
)
def test_a_wish_that_makes_no_sense_is_a_usage_error(settings, arguments, message):
    champions(settings, 1, 2)
    with pytest.raises(UsageError, match=message):
        wish(settings, **arguments)


def test_a_pin_is_about_the_champion_that_is(settings):
    champions(settings, 1, 2)
    assert (wish(settings, "pin").version, wish(settings, "pin").epoch) == (2, 2)
    Pins(settings.state_url).set("late", pinned=True, actor="bob", reason="holidays")
    with pytest.raises(GateError, match="pinned already, by bob: holidays"):
        wish(settings, "pin")
    assert wish(settings, "unpin").version == 2
