import math
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airloom.core.gate import Case, Comparison, Effect, Head, Judged, SliceEffect, Verdict, decide
from airloom.core.pipeline import Gate, Slices

D = date(2013, 2, 10)
RULES = Gate(metric="roc_auc", min_effect=0.01, min_rows=100, floors={"roc_auc": 0.6, "log_loss": 0.7})


def judged(auc=0.7, *, version=2, as_of=D, rows=1000, digest="same", **metrics):
    return Judged(
        version=version,
        as_of=as_of,
        rows=rows,
        rows_digest=digest,
        metrics={"roc_auc": auc, "log_loss": 0.5, **metrics},
    )


def effect(challenger, champion, spread=0.0):
    """The effect of two values of the metric, with bounds that lie a spread away from it."""
    gain = challenger - champion
    bounds = {"lower": gain - spread, "upper": gain + spread}
    return Effect(challenger=challenger, champion=champion, gain=gain, samples=1000, **bounds)


def compared(challenger, champion, spread=0.0, slices=()):
    mine, theirs = challenger.metrics.get("roc_auc"), champion.metrics.get("roc_auc") if champion else None
    if mine is None or theirs is None or challenger.rows_digest != champion.rows_digest:
        return None
    return Comparison(effect=effect(mine, theirs, spread), slices=slices)


def verdict(challenger, champion=None, head=None, rules=RULES, pinned=None, **comparison) -> Verdict:
    case = Case(
        pipeline="p",
        partition=challenger.as_of,
        challenger=challenger,
        champion=champion,
        head=head,
        training_digest="t",
        pipeline_digest="d",
        comparison=compared(challenger, champion, **comparison),
        pinned=pinned,
    )
    return decide(case, rules)


def head_of(champion, epoch=1):
    return Head(epoch=epoch, version=champion.version, as_of=champion.as_of)


def test_the_first_model_needs_only_to_pass_the_floors():
    assert verdict(judged(0.61)).outcome == "first"


def test_the_first_model_below_a_floor_is_rejected():
    assert verdict(judged(0.59)).outcome == "rejected"


def test_a_floor_of_a_metric_that_is_better_when_lower_is_a_ceiling():
    assert verdict(judged(log_loss=0.71)).outcome == "rejected"


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1.797e308, None])
def test_a_metric_that_is_not_finite_never_passes(value):
    assert verdict(judged(value)).outcome == "rejected"


def test_a_metric_that_is_missing_never_passes():
    challenger = Judged(version=2, as_of=D, rows=1000, rows_digest="same", metrics={})
    assert verdict(challenger).outcome == "rejected"


def test_too_few_rows_are_refused():
    assert verdict(judged(rows=99)).outcome == "rejected"


def test_a_better_challenger_replaces_the_champion():
    champion = judged(0.70, version=1, as_of=date(2013, 2, 9))
    assert verdict(judged(0.72), champion, head_of(champion)).outcome == "better"


@pytest.mark.parametrize("auc", [0.70, 0.705, 0.65])
def test_a_gain_below_the_minimum_effect_keeps_the_champion(auc):
    champion = judged(0.70, version=1, as_of=date(2013, 2, 9))
    assert verdict(judged(auc), champion, head_of(champion)).outcome == "tie"


def test_an_equal_model_is_a_tie_even_without_a_minimum_effect():
    champion = judged(0.70, version=1)
    rules = Gate(metric="roc_auc", min_effect=0.0)
    assert verdict(judged(0.70), champion, head_of(champion), rules).outcome == "tie"


def test_a_gain_that_chance_could_show_keeps_the_champion():
    champion = judged(0.70, version=1, as_of=date(2013, 2, 9))
    assert verdict(judged(0.72), champion, head_of(champion), spread=0.009).outcome == "better"
    assert verdict(judged(0.72), champion, head_of(champion), spread=0.011).outcome == "tie"


SLICED = RULES.model_copy(update={"slices": Slices(by=("origin",), max_regression=0.02, min_rows=100)})


@pytest.mark.parametrize(("lower", "outcome"), [(-0.019, "better"), (-0.021, "rejected"), (None, "better")])
def test_a_better_challenger_that_is_worse_on_a_slice_is_refused(lower, outcome):
    champion = judged(0.70, version=1, as_of=date(2013, 2, 9))
    found = None if lower is None else effect(0.7 + lower, 0.7)
    slices = (SliceEffect(column="origin", value="JFK", rows=300, effect=found),)
    judgement = verdict(judged(0.72), champion, head_of(champion), SLICED, slices=slices)
    assert judgement.outcome == outcome
    assert [check.rule for check in judgement.checks if check.rule.startswith("slice")] == ["slice origin=JFK"]


@pytest.mark.parametrize(("auc", "outcome"), [(0.72, "pinned"), (0.70, "tie"), (0.59, "rejected")])
def test_a_pinned_champion_is_not_moved_and_the_challenger_is_judged_all_the_same(auc, outcome):
    champion = judged(0.70, version=1, as_of=date(2013, 2, 9))
    judgement = verdict(judged(auc), champion, head_of(champion), pinned="by ann: holidays")
    assert (judgement.outcome, judgement.accepted) == (outcome, False)
    assert "pinned by ann: holidays" in judgement.reasons


def test_a_champion_that_was_scored_and_not_compared_is_incomparable():
    champion = judged(0.60, version=1)
    case = Case(
        pipeline="p",
        partition=D,
        challenger=judged(0.9),
        champion=champion,
        head=head_of(champion),
        training_digest="t",
        pipeline_digest="d",
    )
    assert decide(case, RULES).outcome == "incomparable"


def test_models_scored_on_different_rows_are_incomparable():
    champion = judged(0.60, version=1, digest="other")
    assert verdict(judged(0.90), champion, head_of(champion)).outcome == "incomparable"


def test_a_champion_that_cannot_be_scored_is_incomparable():
    champion = judged(None, version=1)
    assert verdict(judged(0.90), champion, head_of(champion)).outcome == "incomparable"


def test_a_champion_that_was_not_scored_is_never_taken_for_no_champion():
    assert verdict(judged(0.90), None, Head(epoch=1, version=1, as_of=D)).outcome == "incomparable"


def test_an_older_challenger_never_replaces_a_newer_champion():
    challenger = judged(0.99, as_of=date(2013, 2, 1))
    assert verdict(challenger, None, Head(epoch=3, version=1, as_of=D)).outcome == "older"


def test_the_verdict_lists_every_violation():
    failed = [check.rule for check in verdict(judged(0.5, rows=1, log_loss=0.9)).checks if not check.passed]
    assert failed == ["rows", "floor roc_auc", "floor log_loss"]


def test_the_same_case_has_the_same_verdict():
    assert verdict(judged()).id == verdict(judged()).id


@given(
    auc=st.floats(0.0, 1.0) | st.just(math.nan),
    champion_auc=st.floats(0.0, 1.0),
    rows=st.integers(0, 2000),
    extra_floor=st.floats(0.0, 1.0),
)
def test_adding_a_rule_never_turns_a_refusal_into_an_acceptance(auc, champion_auc, rows, extra_floor):
    champion = judged(champion_auc, version=1)
    loose = Gate(metric="roc_auc", min_rows=100)
    strict = Gate(metric="roc_auc", min_rows=100, floors={"roc_auc": extra_floor})
    challenger = judged(auc, rows=rows)
    accepted = verdict(challenger, champion, head_of(champion), loose).accepted
    assert accepted or not verdict(challenger, champion, head_of(champion), strict).accepted


def test_an_accepted_verdict_is_explained_by_what_speaks_for_it():
    champion = judged(0.70, version=1, as_of=date(2013, 2, 9))
    reasons = verdict(judged(0.72), champion, head_of(champion)).reasons
    assert reasons == "gain roc_auc +0.0200 [+0.0200, +0.0200] (0.7000 to 0.7200) (above +0.01 at 95%)"
