"""The gate: from challenger and champion, judged on the same rows, to a verdict. A pure function."""

from __future__ import annotations

import math
from datetime import date
from typing import Literal

from pydantic import BaseModel, ConfigDict, computed_field

from airloom.core.fingerprint import fingerprint
from airloom.core.metrics import at_least_as_good
from airloom.core.pipeline import Gate

Outcome = Literal["first", "better", "tie", "rejected", "incomparable", "older", "pinned"]

#: Which rules speak for an accepted challenger; a refused one is explained by what it failed.
_DECISIVE: dict[Outcome, str] = {"first": "floor", "better": "gain"}

#: MLflow stores an infinite metric as the largest double, so nothing near it counts as finite.
_LARGEST_METRIC = 1e300


class Fact(BaseModel):
    """A frozen value."""

    model_config = ConfigDict(frozen=True)


class Judged(Fact):
    """A model and how it did.

    Args:
        version: Its registered version.
        as_of: The partition as of which it was trained.
        rows: How many rows it was scored on.
        rows_digest: Fingerprint of these rows.
        metrics: Metric values by name; None where the model could not be scored.
    """

    version: int
    as_of: date
    rows: int
    rows_digest: str
    metrics: dict[str, float | None]


class Head(Fact):
    """The champion at the time of judging.

    Args:
        epoch: Its epoch in the ledger.
        version: Its registered version.
        as_of: The partition from which it is effective.
    """

    epoch: int
    version: int
    as_of: date


class Effect(Fact):
    """By how much the challenger is better than the champion on the same rows.

    Args:
        challenger: The challenger's value of the gate's metric.
        champion: The champion's.
        gain: The difference, positive when the challenger is better, whichever direction is better.
        lower: The lower end of the interval that holds the gain with the gate's confidence.
        upper: Its upper end.
        samples: How many bootstrap samples the interval rests on.
    """

    challenger: float
    champion: float
    gain: float
    lower: float
    upper: float
    samples: int


class SliceEffect(Fact):
    """The effect on the rows with one value of a column; None where they are too few to tell."""

    column: str
    value: str
    rows: int
    effect: Effect | None


class Comparison(Fact):
    """The effect on all rows and on every declared slice."""

    effect: Effect
    slices: tuple[SliceEffect, ...] = ()


class Check(Fact):
    """One rule and what came of it, in numbers."""

    rule: str
    passed: bool
    found: str
    expected: str


class Verdict(Fact):
    """The immutable result of one judgement.

    Args:
        pipeline: Name of the pipeline.
        partition: The as-of of the challenger.
        outcome: What the checks add up to.
        challenger: The challenger.
        champion: The champion that it was compared with, None when there was none.
        head: The ledger's newest champion at that time; applying the verdict is refused once it has moved.
        checks: Every rule, passed or not.
        training_digest: The training set.
        pipeline_digest: The declaration.
        degraded: Whether the training data carries a warning.
        comparison: Challenger against champion, None when there was no champion that could be scored.
        pinned: By whom and why the champion was pinned; None when it was not.
    """

    pipeline: str
    partition: date
    outcome: Outcome
    challenger: Judged
    champion: Judged | None
    head: Head | None
    checks: tuple[Check, ...]
    training_digest: str
    pipeline_digest: str
    degraded: bool = False
    comparison: Comparison | None = None
    pinned: str | None = None

    @computed_field  # type: ignore[prop-decorator]
    @property
    def id(self) -> str:
        """The verdict's fingerprint."""
        return fingerprint(self.model_dump(mode="json", exclude={"id"}))

    @property
    def accepted(self) -> bool:
        """Whether the challenger may become champion."""
        return self.outcome in ("first", "better")

    @property
    def reasons(self) -> str:
        """What decided, as one line: the checks that were not passed, or else those that speak for the challenger."""
        failed = [check for check in self.checks if not check.passed]
        decisive = [check for check in self.checks if check.rule.startswith(_DECISIVE.get(self.outcome, ""))]
        return "; ".join(f"{check.rule} {check.found} ({check.expected})" for check in failed or decisive)


class Case(Fact):
    """What is laid before the gate."""

    pipeline: str
    partition: date
    challenger: Judged
    champion: Judged | None
    head: Head | None
    training_digest: str
    pipeline_digest: str
    degraded: bool = False
    comparison: Comparison | None = None
    pinned: str | None = None


def decide(case: Case, rules: Gate) -> Verdict:
    """Judge a challenger.

    Args:
        case: Challenger and champion with their results on the same rows.
        rules: What the pipeline demands.

    Returns:
        The verdict, with every rule as passed or failed.
    """
    fitness = [*_finite(case.challenger, rules), _enough_rows(case.challenger, rules)]
    fitness += _floors(case.challenger, rules)
    comparable = _comparable(case, rules)
    effect = [_effect(case.comparison, rules)] if case.comparison else []
    slices = [_slice(each, rules) for each in case.comparison.slices] if case.comparison else []
    order = _order(case)
    pinned = _pinned(case)
    return Verdict(
        **dict(case),
        outcome=_outcome(case, fitness + slices, comparable, effect, order, pinned),
        checks=(*fitness, *comparable, *effect, *slices, *order, *pinned),
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


def _finite(challenger: Judged, rules: Gate) -> list[Check]:
    names = dict.fromkeys((rules.metric, *rules.floors))
    values = {name: challenger.metrics.get(name) for name in names}
    return [
        Check(
            rule=f"finite {name}",
            passed=is_finite(value),
            found=_number(value),
            expected="a finite number",
        )
        for name, value in values.items()
    ]


def _enough_rows(challenger: Judged, rules: Gate) -> Check:
    return Check(
        rule="rows",
        passed=challenger.rows >= rules.min_rows,
        found=f"{challenger.rows}",
        expected=f"at least {rules.min_rows}",
    )


def _floors(challenger: Judged, rules: Gate) -> list[Check]:
    return [_floor(name, challenger.metrics.get(name), bound) for name, bound in rules.floors.items()]


def _floor(name: str, value: float | None, bound: float) -> Check:
    passed = value is not None and is_finite(value) and at_least_as_good(name, value, bound)
    return Check(rule=f"floor {name}", passed=passed, found=_number(value), expected=f"no worse than {bound:g}")


def _comparable(case: Case, rules: Gate) -> list[Check]:
    """A champion in the ledger that cannot be scored is never taken for no champion."""
    if case.champion is None:
        return [_missing_champion(case.head)] if case.head and case.head.as_of <= case.partition else []
    value = case.champion.metrics.get(rules.metric)
    same = case.champion.rows_digest == case.challenger.rows_digest
    return [
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


def _effect(comparison: Comparison, rules: Gate) -> Check:
    """Demand a gain that chance alone would hardly show."""
    effect = comparison.effect
    return Check(
        rule=f"gain {rules.metric}",
        passed=effect.gain > 0 and effect.lower > rules.min_effect,
        found=f"{_interval(effect)} ({effect.champion:.4f} to {effect.challenger:.4f})",
        expected=f"above {rules.min_effect:+g} at {rules.confidence:.0%}",
    )


def _slice(each: SliceEffect, rules: Gate) -> Check:
    """Demand that no slice is worse than allowed; what is too small to tell is said, and passes."""
    allowed = rules.slices.max_regression if rules.slices else 0.0
    if each.effect is None:
        found, passed = f"{each.rows} rows, too few to tell", True
    else:
        found = f"{_interval(each.effect)} on {each.rows} rows"
        passed = each.effect.lower >= -allowed
    return Check(
        rule=f"slice {each.column}={each.value}",
        passed=passed,
        found=found,
        expected=f"not below {-allowed:+g} at {rules.confidence:.0%}",
    )


def _interval(effect: Effect) -> str:
    return f"{effect.gain:+.4f} [{effect.lower:+.4f}, {effect.upper:+.4f}]"


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
    return "missing" if value is None else f"{value:.4f}" if is_finite(value) else "not finite"
