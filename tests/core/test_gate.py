import math
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airloom.core.fingerprint import fingerprint
from airloom.core.gate import decide
from airloom.core.rules import Gate, Slices
from airloom.core.verdict import Case, Comparison, Effect, Head, Judged, Proof, Sampling, Skill, SliceEffect, Verdict

D = date(2013, 2, 10)
RULES = Gate(metric="roc_auc", min_effect=0.01, min_rows=100, floors={"roc_auc": 0.6, "neg_log_loss": -0.7})


def judged(auc=0.7, *, version=2, as_of=D, rows=1000, digest="same", **metrics):
    return Judged(
        version=version,
        as_of=as_of,
        rows=rows,
        rows_digest=digest,
        metrics={"roc_auc": auc, "neg_log_loss": -0.5, **metrics},
    )


def effect(challenger, champion, spread=0.0, metric="roc_auc"):
    """The effect of two values of the metric, with bounds that lie a spread away from it, or without any."""
    gain = challenger - champion
    bounds = {} if spread is None else {"lower": gain - spread, "upper": gain + spread}
    return Effect(metric=metric, challenger=challenger, champion=champion, gain=gain, **bounds)


def skilled(auc=0.1, log_loss=0.1, spread=0.0, baseline="constant"):
    """What a challenger gains on a baseline, in the gate's metric and in the proper score."""
    effects = (effect(0.5 + auc, 0.5, spread), effect(-0.6 + log_loss, -0.6, spread, "neg_log_loss"))
    return (Skill(baseline=baseline, effects=effects),)


def compared(challenger, champion, spread=0.0, slices=(), guardrails=()):
    mine, theirs = challenger.metrics.get("roc_auc"), champion.metrics.get("roc_auc") if champion else None
    if mine is None or theirs is None or challenger.rows_digest != champion.rows_digest:
        return None
    return Comparison(effect=effect(mine, theirs, spread), slices=slices, guardrails=guardrails)


def proof(version=2, **facts):
    measured = {"artifact_bytes": 2_000_000, "load_seconds": 0.2, "rows_per_second": 50_000.0}
    return Proof(version=version, rows=500, difference=0.0, **{**measured, **facts})


def verdict(
    challenger, champion=None, head=None, rules=RULES, pinned=None, proven=None, skill=None, **comparison
) -> Verdict:
    case = Case(
        pipeline="p",
        partition=challenger.as_of,
        challenger=challenger,
        champion=champion,
        head=head,
        training_digest="t",
        pipeline_digest="d",
        comparison=compared(challenger, champion, **comparison),
        proof=proven or proof(challenger.version),
        pinned=pinned,
        skill=skilled() if skill is None else skill,
    )
    return decide(case, rules)


def head_of(champion, epoch=1):
    return Head(epoch=epoch, version=champion.version, as_of=champion.as_of)


def test_the_identity_of_a_verdict_without_warnings_is_that_of_before_verdicts_had_any():
    kept = verdict(judged(0.61))
    assert kept.id == Verdict.model_validate_json(kept.model_dump_json(exclude={"id", "warnings"})).id
    assert kept.id == fingerprint(kept.model_dump(mode="json", exclude={"id", "warnings", "lake"}))
    assert kept.model_copy(update={"lake": {"raw.flights": 7}}).id == kept.id
    assert kept.model_copy(update={"warnings": ("a leak",)}).id != kept.id


def test_f25_the_first_model_needs_only_to_pass_the_floors():
    assert verdict(judged(0.61)).outcome == "first"


def test_f25_the_first_model_below_a_floor_is_rejected():
    assert verdict(judged(0.59)).outcome == "rejected"


def test_a_floor_of_a_negated_error_is_a_bound_on_the_error():
    assert verdict(judged(neg_log_loss=-0.71)).outcome == "rejected"


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1.797e308, None])
def test_f23_a_metric_that_is_not_finite_never_passes(value):
    assert verdict(judged(value)).outcome == "rejected"


def test_f23_a_metric_that_is_missing_never_passes():
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


#: A loss, how far the ends of its interval lie from it, and what becomes of a challenger that is better elsewhere.
LOSSES = [
    (-0.019, 0.0, "better"),
    (-0.021, 0.0, "rejected"),
    (-0.021, 0.020, "rejected"),
    (-0.021, 0.022, "better"),
    (-0.021, None, "better"),
]


@pytest.mark.parametrize(("lost", "spread", "outcome"), [*LOSSES, (None, None, "better")])
def test_a_better_challenger_that_is_shown_to_be_worse_on_a_slice_is_refused(lost, spread, outcome):
    champion = judged(0.70, version=1, as_of=date(2013, 2, 9))
    found = None if lost is None else effect(0.7 + lost, 0.7, spread)
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
        proof=proof(),
        training_digest="t",
        pipeline_digest="d",
        skill=skilled(),
    )
    assert decide(case, RULES).outcome == "incomparable"


def test_models_scored_on_different_rows_are_incomparable():
    champion = judged(0.60, version=1, digest="other")
    assert verdict(judged(0.90), champion, head_of(champion)).outcome == "incomparable"


def test_f28_a_champion_that_cannot_be_scored_is_incomparable():
    champion = judged(None, version=1)
    assert verdict(judged(0.90), champion, head_of(champion)).outcome == "incomparable"


def test_f26_a_champion_that_was_not_scored_is_never_taken_for_no_champion():
    assert verdict(judged(0.90), None, Head(epoch=1, version=1, as_of=D)).outcome == "incomparable"


def test_f7_a_challenger_that_was_compared_with_a_champion_that_has_moved_since_is_incomparable():
    compared_with, champion = judged(0.60, version=1), judged(0.80, version=3)
    judgement = verdict(judged(0.70), compared_with, head_of(champion, epoch=2))
    assert judgement.outcome == "incomparable"
    assert judgement.reasons == "champion version 1 scored (version 3, which is champion now)"


def test_f16_an_older_challenger_never_replaces_a_newer_champion():
    challenger = judged(0.99, as_of=date(2013, 2, 1))
    assert verdict(challenger, None, Head(epoch=3, version=1, as_of=D)).outcome == "older"


def test_f16_older_means_before_the_day_from_which_the_champion_is_effective_whenever_it_was_trained():
    trained_long_ago = judged(0.6, version=1, as_of=date(2013, 1, 1))
    head = Head(epoch=3, version=1, as_of=D)
    assert verdict(judged(0.9, as_of=date(2013, 2, 9)), trained_long_ago, head).outcome == "older"
    assert verdict(judged(0.9), trained_long_ago, head).outcome == "better"


def test_the_verdict_lists_every_violation():
    failed = [check.rule for check in verdict(judged(0.5, rows=1, neg_log_loss=-0.9)).checks if not check.passed]
    assert failed == ["rows", "floor roc_auc", "floor neg_log_loss"]


def test_the_same_case_has_the_same_verdict():
    assert verdict(judged()).id == verdict(judged()).id


@pytest.mark.parametrize(
    ("facts", "failed"),
    [
        ({}, []),
        ({"artifact_bytes": 6_000_000}, ["ceiling artifact_bytes"]),
        ({"load_seconds": 1.5}, ["ceiling load_seconds"]),
        ({"rows_per_second": 900.0}, ["floor rows_per_second"]),
        ({"artifact_bytes": None}, ["finite artifact_bytes", "ceiling artifact_bytes"]),
    ],
)
def test_size_and_speed_have_bounds_too(facts, failed):
    bounds = {"ceilings": {"artifact_bytes": 5e6, "load_seconds": 1}, "floors": {"rows_per_second": 1000}}
    judgement = verdict(judged(), rules=Gate(metric="roc_auc", **bounds), proven=proof(**facts))
    assert [check.rule for check in judgement.checks if not check.passed] == failed
    assert judgement.outcome == ("rejected" if failed else "first")


@pytest.mark.parametrize(("version", "problem"), [(2, "predictions differ by up to 0.3"), (1, None)])
def test_a_version_that_cannot_serve_is_rejected_whatever_it_scored(version, problem):
    judgement = verdict(judged(0.99), proven=proof(version, problem=problem))
    assert judgement.outcome == "rejected"
    assert (problem or "version 1") in judgement.reasons


GUARDED = RULES.model_copy(update={"guardrails": {"neg_log_loss": 0.02}})


@pytest.mark.parametrize(
    ("lost", "spread", "outcome"), [*LOSSES, (None, None, "rejected"), (math.nan, 0.0, "rejected")]
)
def test_f24_a_better_challenger_that_violates_a_guardrail_is_refused(lost, spread, outcome):
    champion = judged(0.70, version=1, as_of=date(2013, 2, 9))
    guardrails = () if lost is None else (effect(-0.5 + lost, -0.5, spread, metric="neg_log_loss"),)
    judgement = verdict(judged(0.72), champion, head_of(champion), GUARDED, guardrails=guardrails)
    assert judgement.outcome == outcome
    assert ("guardrail neg_log_loss" in judgement.reasons) == (outcome == "rejected")


def test_f24_the_verdict_lists_every_violation():
    champion = judged(0.70, version=1, as_of=date(2013, 2, 9))
    worse = effect(0.6, 0.7)
    slices = tuple(SliceEffect(column="origin", value=value, rows=300, effect=worse) for value in ("EWR", "JFK"))
    rules = SLICED.model_copy(update={"guardrails": {"neg_log_loss": 0.0}, "ceilings": {"load_seconds": 0.1}})
    guardrails = (effect(-0.6, -0.5, metric="neg_log_loss"),)
    judgement = verdict(judged(0.72, rows=1), champion, head_of(champion), rules, slices=slices, guardrails=guardrails)
    assert [check.rule for check in judgement.checks if not check.passed] == [
        "rows",
        "ceiling load_seconds",
        "guardrail neg_log_loss",
        "slice origin=EWR",
        "slice origin=JFK",
    ]


NUMBERS = st.floats(-2, 2) | st.sampled_from([math.nan, math.inf, -math.inf, 1.797e308])
EFFECTS = st.builds(effect, NUMBERS, NUMBERS, st.floats(0, 0.2))
#: Any floors, each within what its metric can be.
BOUNDS = st.fixed_dictionaries(
    {}, optional={"roc_auc": st.floats(0, 1), "neg_log_loss": st.floats(-2, 0), "rows_per_second": st.floats(0, 2)}
)


@given(
    values=st.tuples(NUMBERS, NUMBERS, NUMBERS),
    overall=EFFECTS,
    slices=st.lists(EFFECTS | st.none(), max_size=3),
    guardrail=EFFECTS,
    floors=BOUNDS,
    more=BOUNDS,
    allowed=st.tuples(st.floats(0, 1), st.floats(0, 1)),
    rows=st.integers(0, 2000),
    skill=st.builds(skilled, st.floats(-0.1, 0.1), st.floats(-0.1, 0.1), st.floats(0, 0.1)),
)
def test_f24_adding_a_rule_never_turns_a_refusal_into_an_acceptance(
    values, overall, slices, guardrail, floors, more, allowed, rows, skill
):
    challenger = judged(values[0], neg_log_loss=values[1], rows=rows)
    champion = judged(values[2], version=1)
    found = Comparison(
        effect=overall,
        guardrails=(guardrail.model_copy(update={"metric": "neg_log_loss"}),),
        slices=tuple(SliceEffect(column="c", value=str(n), rows=300, effect=each) for n, each in enumerate(slices)),
    )
    case = Case(
        pipeline="p",
        partition=D,
        challenger=challenger,
        champion=champion,
        head=head_of(champion),
        proof=proof(rows_per_second=values[1]),
        training_digest="t",
        pipeline_digest="d",
        comparison=found,
        skill=skill,
    )
    loose = Gate(
        metric="roc_auc", baseline="none", floors=floors, slices=Slices(by=("c",), max_regression=max(allowed))
    )
    strict = loose.model_copy(
        update={
            "floors": {**more, **{name: max(bound, more.get(name, bound)) for name, bound in floors.items()}},
            "guardrails": {"neg_log_loss": allowed[0]},
            "slices": Slices(by=("c",), max_regression=min(allowed)),
            "min_rows": 100,
            "baseline": "constant",
        }
    )
    accepted, accepted_by_more = decide(case, loose).accepted, decide(case, strict).accepted
    assert accepted or not accepted_by_more
    if accepted_by_more:
        assert all(map(math.isfinite, (values[0], values[2], overall.lower)))


def test_an_accepted_verdict_is_explained_by_what_speaks_for_it():
    champion = judged(0.70, version=1, as_of=date(2013, 2, 9))
    reasons = verdict(judged(0.72), champion, head_of(champion)).reasons
    assert reasons == "gain roc_auc +0.0200 [+0.0200, +0.0200] (0.7000 to 0.7200) (above +0.01 at 95%)"


def test_what_the_sample_cannot_tell_keeps_the_champion():
    champion = judged(0.70, version=1, as_of=date(2013, 2, 9))
    judgement = verdict(judged(0.75), champion, head_of(champion), spread=None)
    assert judgement.outcome == "tie"
    assert "[too few to tell]" in judgement.reasons


@pytest.mark.parametrize(
    ("declared", "first", "later"),
    [({}, 0.98, 0.95), ({"confidence": 0.9}, 0.96, 0.9), ({"first_confidence": 0.8}, 0.8, 0.95)],
)
def test_a_first_champion_must_be_better_with_a_higher_confidence(declared, first, later):
    gate = Gate(metric="roc_auc", **declared)
    assert gate.skill_confidence(first=True) == pytest.approx(first)
    assert gate.skill_confidence(first=False) == later


@pytest.mark.parametrize("champion", [None, judged(0.70, version=1, as_of=date(2013, 2, 9))])
@pytest.mark.parametrize(
    ("skill", "failed"),
    [
        ((), ["skill roc_auc", "skill neg_log_loss"]),
        (skilled(baseline="linear"), ["skill roc_auc", "skill neg_log_loss"]),
        (skilled(auc=-0.01), ["skill roc_auc"]),
        (skilled(log_loss=-0.01), ["skill neg_log_loss"]),
        (skilled(spread=0.11), ["skill roc_auc", "skill neg_log_loss"]),
        (skilled(spread=None), ["skill roc_auc", "skill neg_log_loss"]),
    ],
)
def test_what_is_not_shown_to_be_better_than_a_baseline_is_rejected(champion, skill, failed):
    judgement = verdict(judged(0.75), champion, head_of(champion) if champion else None, skill=skill)
    assert judgement.outcome == "rejected"
    assert [check.rule for check in judgement.checks if not check.passed] == failed


def test_a_good_ranker_whose_probabilities_are_wrong_is_told_so():
    assert "ranks well, not calibrated: -0.0100" in verdict(judged(), skill=skilled(log_loss=-0.01)).reasons
    assert "not calibrated" not in verdict(judged(), skill=skilled(auc=-0.01, log_loss=-0.01)).reasons


@pytest.mark.parametrize(
    ("rules", "outcome"),
    [
        ({"baseline": "none"}, "first"),
        ({"proper": "none"}, "first"),
        ({"proper": "neg_brier_score"}, "rejected"),
        ({"baseline": "linear"}, "rejected"),
        ({"metric": "neg_log_loss"}, "rejected"),
    ],
)
def test_baseline_and_proper_score_are_declared(rules, outcome):
    assert (
        verdict(judged(), rules=Gate(**{"metric": "roc_auc", **rules}), skill=skilled(log_loss=-0.01)).outcome
        == outcome
    )


def test_of_a_metric_that_rewards_a_constant_only_the_proper_score_must_be_better():
    assert Gate(metric="expected_calibration_error").skill == ("neg_log_loss",)
    assert Gate(metric="neg_root_mean_squared_error").skill == ("neg_root_mean_squared_error", "neg_mean_squared_error")
    assert Gate(metric="neg_mean_absolute_error").skill == ("neg_mean_absolute_error",)


def test_rows_are_told_with_the_blocks_that_they_are_in():
    sampling = Sampling(rows=4200, blocks={"entity": 300, "day": 14}, effective=2.0)
    assert str(sampling) == "300 entities on 14 days"
    assert str(Sampling(rows=90, blocks={"store": 9}, effective=9.0)) == "9 values of store"


def test_a_version_that_runs_code_when_it_is_loaded_is_named_so():
    told = verdict(judged(), proven=proof(pickles=("model/m.joblib",)))
    [check] = [each for each in told.checks if each.rule == "servable"]
    assert check.passed
    assert check.found.endswith("it runs code when it is loaded: model/m.joblib")
