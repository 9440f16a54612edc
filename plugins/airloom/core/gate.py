"""The gate: from challenger and champion, judged on the same rows, to a verdict. A pure function."""

from __future__ import annotations

import math

from airloom.core.metrics import proper_score
from airloom.core.rules import Gate
from airloom.core.verdict import Case, Check, Comparison, Effect, Head, Judged, Outcome, SliceEffect, Verdict

#: MLflow stores an infinite metric as the largest double, so nothing near it counts as finite.
_LARGEST_METRIC = 1e300


def decide(case: Case, rules: Gate) -> Verdict:
    """Judge a challenger.

    Args:
        case: Challenger and champion with their results on the same rows.
        rules: What the pipeline demands.

    Returns:
        The verdict, with every rule as passed or failed.
    """
    fitness = [
        _servable(case),
        *_finite(case, rules),
        _enough_rows(case, rules),
        *_bounds(case, rules),
        *_skilled(case, rules),
    ]
    comparable = _comparable(case, rules)
    effect = [_effect(case.comparison, rules)] if case.comparison else []
    harmless = _harmless(case.comparison, rules) if case.comparison else []
    order, pinned = _order(case), _pinned(case)
    return Verdict(
        **dict(case),
        outcome=_outcome(case, fitness + harmless, comparable, effect, order, pinned),
        checks=(*fitness, *comparable, *effect, *harmless, *order, *pinned),
    )


def is_finite(value: float | None) -> bool:
    """Tell whether a metric is a number that may be compared."""
    return value is not None and math.isfinite(value) and abs(value) < _LARGEST_METRIC


def _outcome(
    case: Case,
    fitness: list[Check],
    comparable: list[Check],
    effect: list[Check],
    order: list[Check],
    pinned: list[Check],
) -> Outcome:
    if not _all_passed(fitness):
        return "rejected"
    if not _all_passed(order):
        return "older"
    if not _all_passed(comparable):
        return "incomparable"
    if not _all_passed(effect):
        return "tie"
    if not _all_passed(pinned):
        return "pinned"
    return "first" if case.champion is None else "better"


def _all_passed(checks: list[Check]) -> bool:
    return all(check.passed for check in checks)


def _servable(case: Case) -> Check:
    """A version that a fresh process cannot load, or that predicts other values there, never becomes champion."""
    proof = case.proof
    passed = proof.problem is None and proof.version == case.challenger.version
    pickles = f"; it runs code when it is loaded: {', '.join(proof.pickles)}" if proof.pickles else ""
    return Check(
        rule="servable",
        passed=passed,
        found=proof.problem or f"version {proof.version}, {proof.rows} rows scored{pickles}",
        expected="loads in a fresh process and predicts what it did when it was trained",
    )


def _metrics(case: Case) -> dict[str, float | None]:
    return {**case.challenger.metrics, **case.proof.metrics}


def _finite(case: Case, rules: Gate) -> list[Check]:
    values = _metrics(case)
    return [
        Check(
            rule=f"finite {name}",
            passed=is_finite(values.get(name)),
            found=_number(values.get(name)),
            expected="a finite number",
        )
        for name in rules.metrics
    ]


def _enough_rows(case: Case, rules: Gate) -> Check:
    rows = case.challenger.rows
    return Check(rule="rows", passed=rows >= rules.min_rows, found=f"{rows}", expected=f"at least {rules.min_rows}")


def _bounds(case: Case, rules: Gate) -> list[Check]:
    values = _metrics(case)
    floors = [_bound("floor", name, values.get(name), bound) for name, bound in rules.floors.items()]
    return floors + [_bound("ceiling", name, values.get(name), bound) for name, bound in rules.ceilings.items()]


def _bound(kind: str, name: str, value: float | None, bound: float) -> Check:
    floor = kind == "floor"
    passed = value is not None and is_finite(value) and (value >= bound if floor else value <= bound)
    expected = f"{'at least' if floor else 'at most'} {bound:g}"
    return Check(rule=f"{kind} {name}", passed=passed, found=_number(value), expected=expected)


def _skilled(case: Case, rules: Gate) -> list[Check]:
    """Demand that the challenger is better than a baseline; what is worse than the average is of no use to anybody."""
    if rules.baseline == "none":
        return []
    found = {effect.metric: effect for each in case.skill if each.baseline == rules.baseline for effect in each.effects}
    ranks_well = rules.metric in found and _is_shown(found[rules.metric], 0.0)
    return [_better_than_baseline(name, found.get(name), ranks_well, case, rules) for name in rules.skill]


def _better_than_baseline(name: str, effect: Effect | None, ranks_well: bool, case: Case, rules: Gate) -> Check:
    passed = effect is not None and _is_shown(effect, 0.0)
    uncalibrated = (
        effect is not None and ranks_well and not passed and name == proper_score(rules.metric) != rules.metric
    )
    confidence = rules.skill_confidence(first=case.champion is None)
    found = "not compared, see the log of evaluate"
    if effect is not None:
        found = f"{_interval(effect)}{_on(effect)} ({effect.champion:.4f} to {effect.challenger:.4f})"
    return Check(
        rule=f"skill {name}",
        passed=passed,
        found=("ranks well, not calibrated: " if uncalibrated else "") + found,
        expected=f"better than {rules.baseline} at {100 * confidence:.3g}%",
    )


def _comparable(case: Case, rules: Gate) -> list[Check]:
    """A champion in the ledger that cannot be scored is never taken for no champion."""
    head = case.head if case.head and case.head.as_of <= case.partition else None
    if case.champion is None:
        return [_missing_champion(head)] if head else []
    value = case.champion.metrics.get(rules.metric)
    same = case.champion.rows_digest == case.challenger.rows_digest
    return [
        *([_other_champion(case.champion, head)] if head and head.version != case.champion.version else []),
        Check(
            rule=f"champion {rules.metric}", passed=is_finite(value), found=_number(value), expected="a finite number"
        ),
        Check(rule="same rows", passed=same, found="same" if same else "different", expected="same rows for both"),
        Check(
            rule="compared",
            passed=case.comparison is not None,
            found="row by row" if case.comparison else "not compared",
            expected="row by row",
        ),
    ]


def _missing_champion(head: Head) -> Check:
    return Check(rule="champion", passed=False, found=f"version {head.version} not scored", expected="scored")


def _other_champion(compared: Judged, head: Head) -> Check:
    """The champion has moved since the models were scored."""
    expected = f"version {head.version}, which is champion now"
    return Check(rule="champion", passed=False, found=f"version {compared.version} scored", expected=expected)


def _effect(comparison: Comparison, rules: Gate) -> Check:
    """Demand a gain that chance alone would hardly show."""
    effect = comparison.effect
    return Check(
        rule=f"gain {rules.metric}",
        passed=_is_shown(effect, rules.min_effect),
        found=f"{_interval(effect)}{_on(effect)} ({effect.champion:.4f} to {effect.challenger:.4f})",
        expected=f"above {rules.min_effect:+g} at {rules.confidence:.0%}",
    )


def _harmless(comparison: Comparison, rules: Gate) -> list[Check]:
    """Demand that no other declared metric, and no slice, is shown to be worse than allowed.

    A gain must be shown, and so must harm: on a few days an interval is wide, and nearly every true gain would fail a
    rule that asks for proof that nothing is worse.
    """
    effects = {effect.metric: effect for effect in comparison.guardrails}
    guardrails = [_guardrail(name, effects.get(name), allowed, rules) for name, allowed in rules.guardrails.items()]
    return guardrails + [_slice(each, rules) for each in comparison.slices]


def _guardrail(name: str, effect: Effect | None, allowed: float, rules: Gate) -> Check:
    return Check(
        rule=f"guardrail {name}",
        passed=effect is not None and not _is_harm(effect, allowed),
        found=_harm(effect, allowed) if effect else "not compared",
        expected=_not_below(allowed, rules),
    )


def _slice(each: SliceEffect, rules: Gate) -> Check:
    """Demand that no slice is worse than allowed; what is too small to tell is said, and passes."""
    allowed = rules.slices.max_regression if rules.slices else 0.0
    effect = each.effect
    return Check(
        rule=f"slice {each.column}={each.value}",
        passed=effect is None or not _is_harm(effect, allowed),
        found=f"{each.rows} rows, too few to tell" if effect is None else _harm(effect, allowed),
        expected=_not_below(allowed, rules),
    )


def _is_shown(effect: Effect, least: float) -> bool:
    """Tell whether a gain above the least that counts is more than chance would show."""
    values = (effect.challenger, effect.champion, effect.gain, effect.lower, effect.upper)
    return all(map(is_finite, values)) and effect.gain > 0 and (effect.lower or 0.0) > least


def _is_harm(effect: Effect, allowed: float) -> bool:
    """Tell whether a loss beyond what is allowed is more than chance would show; an unknown value is one."""
    if not is_finite(effect.gain):
        return True
    return effect.gain < -allowed and is_finite(effect.upper) and (effect.upper or 0.0) < 0


def _harm(effect: Effect, allowed: float) -> str:
    unproven = effect.gain < -allowed and not _is_harm(effect, allowed)
    return f"{_interval(effect)}{', not shown' if unproven else ''}{_on(effect)}"


def _not_below(allowed: float, rules: Gate) -> str:
    return f"not shown to be below {-allowed:+g} at {rules.confidence:.0%}"


def _interval(effect: Effect) -> str:
    within = " within days" if effect.within else ""
    if effect.lower is None or effect.upper is None:
        return f"{effect.gain:+.4f} [too few to tell]{within}"
    return f"{effect.gain:+.4f} [{effect.lower:+.4f}, {effect.upper:+.4f}]{within}"


def _on(effect: Effect) -> str:
    return f" on {effect.sampling}" if effect.sampling else ""


def _order(case: Case) -> list[Check]:
    if case.head is None:
        return []
    return [
        Check(
            rule="as-of",
            passed=case.partition >= case.head.as_of,
            found=case.partition.isoformat(),
            expected=f"not before the champion's {case.head.as_of}",
        )
    ]


def _pinned(case: Case) -> list[Check]:
    """A pinned champion is not moved by the gate, whatever it finds."""
    if case.pinned is None:
        return []
    return [Check(rule="pinned", passed=False, found=case.pinned, expected="a champion that is not pinned")]


def _number(value: float | None) -> str:
    if value is None:
        return "missing"
    if not is_finite(value):
        return "not finite"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4f}"
