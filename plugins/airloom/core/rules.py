"""The rules of a champion, as a pipeline declares them: the gate, who moves it, and when training pauses."""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from airloom.core.declared import Days, Declared, Duration, Names, Number, is_absent
from airloom.core.documents import did_you_mean, problem_at
from airloom.core.metrics import METRICS, OPERATIONAL, Direction, direction, proper_score, rewards_a_constant

#: What `gate.cluster` may name besides columns: the scored day, the scored entity, and each row by itself.
DAY, ENTITY, ROW = "day", "entity", "row"


#: The share of the allowed error that a first champion may use on a night: with all of it, labels that are noise have
#: one in 10 of 100 histories of 60 days (`tests/steps/test_promises.py`).
_FIRST = 0.4


class Slices(Declared):
    """Groups of rows on which a challenger must not be worse than allowed."""

    by: tuple[str, ...] = Field(min_length=1)
    max_regression: Number = Field(ge=0)
    min_rows: int = Field(default=200, ge=2)


def _is_constant(value: str) -> bool:
    """The baseline of a declaration that names none is no part of it, and changes no digest."""
    return value == "constant"


class Gate(Declared):
    """The rules that a challenger must pass."""

    metric: str
    within: Literal["day"] | None = Field(default=None, exclude_if=is_absent)
    min_effect: Number = Field(default=0.0, ge=0)
    confidence: Number = Field(default=0.95, gt=0.5, lt=1)
    min_rows: int = Field(default=1, ge=1)
    floors: dict[str, Number] = Field(default_factory=dict)
    ceilings: dict[str, Number] = Field(default_factory=dict)
    guardrails: dict[str, Annotated[Number, Field(ge=0)]] = Field(default_factory=dict)
    slices: Slices | None = None
    cluster: Names | None = Field(default=None, max_length=2, exclude_if=is_absent)
    baseline: Literal["constant", "linear", "none"] = Field(default="constant", exclude_if=_is_constant)
    proper: str | None = Field(default=None, exclude_if=is_absent)
    first_confidence: Number | None = Field(default=None, gt=0.5, lt=1, exclude_if=is_absent)

    @field_validator("cluster")
    @classmethod
    def _rows_alone(cls, value: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if value and ROW in value and len(value) > 1:
            raise ValueError(f"where each row is a block of its own, nothing else groups them: declare {ROW} alone")
        return value

    @property
    def skill(self) -> tuple[str, ...]:
        """The metrics in which a challenger must beat the baseline: the gate's, and the proper score that fits it."""
        proper = () if self.proper == "none" else (self.proper or proper_score(self.metric),)
        return tuple(name for name in dict.fromkeys((self.metric, *proper)) if not rewards_a_constant(name))

    def skill_confidence(self, first: bool) -> float:
        """Return the confidence with which a challenger must beat the baseline.

        A first champion is looked for night after night on nearly the same days, so that luck has many tries: unless
        declared, it is allowed two fifths of the error.

        Args:
            first: Whether there is no champion yet.
        """
        if not first:
            return self.confidence
        return self.first_confidence or 1 - _FIRST * (1 - self.confidence)

    @property
    def metrics(self) -> tuple[str, ...]:
        """Every metric that a rule names, once."""
        return tuple(dict.fromkeys((self.metric, *self.guardrails, *self.floors, *self.ceilings)))

    @model_validator(mode="after")
    def _known_metrics(self) -> Gate:
        proper = [(self.proper, ("proper",))] if self.proper and self.proper != "none" else []
        guardrails = [(name, ("guardrails", name)) for name in self.guardrails]
        for name, at in [(self.metric, ("metric",)), *guardrails, *proper]:
            _require_compared(name, *at)
        if proper and METRICS[proper[0][0]].proper:
            known = ", ".join(name for name, metric in METRICS.items() if not metric.proper)
            raise problem_at(f"{self.proper} is no proper score, or another one says the same: {known}", "proper")
        for key, bounds in (("floors", self.floors), ("ceilings", self.ceilings)):
            for name, bound in bounds.items():
                _require_bound(key, name, bound)
        _require_difference(self.metric, self.min_effect, "min_effect")
        for name, allowed in self.guardrails.items():
            _require_difference(name, allowed, "guardrails", name)
        if self.slices:
            _require_difference(self.metric, self.slices.max_regression, "slices", "max_regression")
        return self


#: Where a metric's bound is declared, by which way it is better.
_BOUNDS: dict[Direction, str] = {"higher": "floors", "lower": "ceilings"}


def _require_compared(name: str, *at: str) -> None:
    """What a proof measures of a version has no value a row, by which two versions could be compared."""
    if name in OPERATIONAL:
        bound = _BOUNDS[direction(name)]
        raise problem_at(f"{name} can have a bound only, it is not compared: declare it under {bound}", *at)
    if name not in METRICS:
        raise _no_metric(name, METRICS, *at)


def _require_bound(key: str, name: str, bound: float) -> None:
    """A floor is for what is better when higher, a ceiling for what is better when lower."""
    if name not in METRICS | OPERATIONAL:
        raise _no_metric(name, METRICS | OPERATIONAL, key, name)
    metric = (METRICS | OPERATIONAL)[name]
    if not metric.lowest <= bound <= metric.highest:
        share = f"; write {bound / 100:g} for {bound:g} %" if metric.highest == 1 and 1 < bound <= 100 else ""
        raise problem_at(f"{name} is never {bound:g}: {_range(name)}{share}", key, name)
    right = _BOUNDS[direction(name)]
    if key != right:
        raise problem_at(f"{name} is better when {direction(name)}: declare it under {right}", key, name)


def _require_difference(name: str, difference: float, *at: str) -> None:
    """What a rule says of a gain or a loss must be one that the metric can have."""
    if difference > METRICS[name].highest - METRICS[name].lowest:
        raise problem_at(f"no two values of {name} differ by {difference:g}: {_range(name)}", *at)


def _range(name: str) -> str:
    metric = (METRICS | OPERATIONAL)[name]
    if math.isinf(metric.lowest):
        return f"it is at most {metric.highest:g}"
    if math.isinf(metric.highest):
        return f"it is at least {metric.lowest:g}"
    return f"it lies between {metric.lowest:g} and {metric.highest:g}"


def _no_metric(name: str, known: Iterable[str], *at: str) -> Exception:
    hint = did_you_mean(f"neg_{name}", known) if f"neg_{name}" in known else did_you_mean(name, known)
    return problem_at(f"there is no metric {name!r}.{hint} There are {', '.join(known)}", *at)


class Promotion(Declared):
    """Who moves the champion: the gate alone or with a person's approval, and what an alias moved by hand means."""

    approval: Literal["none", "required"] = "none"
    approval_timeout: Duration = timedelta(hours=12)
    alias_drift: Literal["repair", "adopt"] = "repair"


class Circuit(Declared):
    """When training pauses because it does not help: after so many nights without a usable challenger in a row.

    It is tried again after a while, or when the data has changed by more than `drift` (population stability index).
    """

    failures: int = Field(ge=1)
    retry_after: Days
    drift: float = Field(default=0.25, gt=0, allow_inf_nan=False)
