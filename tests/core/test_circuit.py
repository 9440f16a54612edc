from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airloom.core.circuit import Night, Pause, pause
from airloom.core.rules import Circuit

FIRST = date(2013, 2, 1)
RULES = Circuit(failures=3, retry_after="7d")
USELESS, USEFUL = ["failed", "rejected", "incomparable"], ["first", "better", "tie", "older", "pinned"]


def day(number):
    return FIRST + timedelta(days=number)


def nights(*outcomes, recipe="mine"):
    return [Night(day(number), outcome, recipe) for number, outcome in enumerate(outcomes) if outcome]


def test_a_pipeline_without_nights_is_not_paused():
    assert pause([], "mine", RULES) is None


@pytest.mark.parametrize("outcome", USELESS)
def test_so_many_useless_nights_in_a_row_pause_training_for_a_while(outcome):
    assert pause(nights(outcome, outcome), "mine", RULES) is None
    found = nights(outcome, outcome, outcome)
    assert pause(found, "mine", RULES) == Pause(tuple(found), until=day(9))


@pytest.mark.parametrize("outcome", USEFUL)
def test_a_night_with_a_usable_challenger_is_not_useless(outcome):
    assert pause(nights("failed", "rejected", outcome, "failed"), "mine", RULES) is None


def test_a_pause_that_was_tried_in_vain_goes_on_from_there():
    found = pause([*nights("rejected", "rejected", "rejected"), Night(day(9), "failed", "mine")], "mine", RULES)
    assert (len(found.nights), found.until) == (4, day(16))


def test_nights_that_were_not_trained_do_not_break_the_row():
    assert pause(nights("rejected", None, "failed", None, "failed"), "mine", RULES).until == day(11)


def test_another_recipe_starts_anew_and_takes_nothing_from_the_first():
    found = [*nights("rejected", "rejected", "rejected"), Night(day(3), "better", "other")]
    assert pause(found, "other", RULES) is None
    assert pause(found, "mine", RULES).until == day(9)


def test_a_pause_says_what_has_caused_it_and_when_it_ends():
    assert str(pause(nights("failed", "rejected", "incomparable"), "mine", RULES)) == (
        "training is paused: 3 nights in a row without a usable challenger, from 2013-02-01 to 2013-02-03 "
        "(the last one incomparable); it is tried again on 2013-02-10, or when the data has changed"
    )
    once = Circuit(failures=1, retry_after="2d")
    assert pause(nights("failed"), "mine", once).why == "no usable challenger on 2013-02-01 (failed)"


NIGHTS = st.lists(
    st.builds(Night, st.integers(0, 30).map(day), st.sampled_from([*USELESS, *USEFUL]), st.sampled_from("ab")),
    unique_by=lambda night: (night.partition, night.recipe),
)
CIRCUITS = st.builds(
    lambda failures, days: Circuit(failures=failures, retry_after=f"{days}d"), st.integers(1, 4), st.integers(1, 9)
)


@given(NIGHTS, st.randoms(use_true_random=False), CIRCUITS, st.integers(0, 31).map(day))
def test_a_pause_depends_on_the_earlier_nights_only_and_not_on_the_order_in_which_they_were_judged(
    found, random, rules, partition
):
    shuffled = random.sample(found, len(found))
    earlier = [night for night in found if night.partition < partition]
    assert pause(shuffled, "a", rules, partition) == pause(earlier, "a", rules)


@given(NIGHTS, CIRCUITS)
def test_what_another_recipe_has_brought_changes_nothing(found, rules):
    mine = [night for night in found if night.recipe == "a"]
    assert pause(found, "a", rules) == pause(mine, "a", rules)


@given(NIGHTS, CIRCUITS, st.sampled_from(USEFUL))
def test_a_good_night_closes_every_pause_and_only_as_many_useless_ones_open_it_again(found, rules, outcome):
    found = [*found, Night(day(40), outcome, "a")]
    assert pause(found, "a", rules) is None
    for number in range(1, rules.failures):
        found.append(Night(day(40 + number), "rejected", "a"))
        assert pause(found, "a", rules) is None
    found.append(Night(day(50), "rejected", "a"))
    assert len(pause(found, "a", rules).nights) == rules.failures


@given(NIGHTS, CIRCUITS, st.sampled_from(USELESS))
def test_a_useless_night_never_ends_a_pause(found, rules, outcome):
    before = pause(found, "a", rules)
    after = pause([*found, Night(day(40), outcome, "a")], "a", rules)
    assert before is None or after.until > before.until


@given(NIGHTS, CIRCUITS)
def test_a_pause_rests_on_useless_nights_of_one_recipe_without_a_better_one_in_between(found, rules):
    stopped = pause(found, "a", rules)
    if stopped is not None:
        first, last = stopped.nights[0].partition, stopped.nights[-1].partition
        between = [night for night in found if night.recipe == "a" and first <= night.partition <= last]
        assert sorted(between, key=lambda night: night.partition) == list(stopped.nights)
        assert all(night.useless for night in stopped.nights)
        assert last + rules.retry_after == stopped.until
