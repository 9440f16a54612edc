"""The rules of a champion, as a pipeline declares them: the gate, who moves it, and when training pauses."""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field, model_validator

from airloom.core.declared import Days, Declared, Duration
from airloom.core.documents import did_you_mean, problem_at
from airloom.core.metrics import METRICS, OPERATIONAL, Direction, direction


class Slices(Declared):
    """Groups of rows on which a challenger must not be worse than allowed."""

    by: tuple[str, ...] = Field(min_length=1)
    max_regression: float = Field(ge=0, allow_inf_nan=False)
    min_rows: int = Field(default=200, ge=2)


class Gate(Declared):
    """The rules that a challenger must pass."""

    metric: str
    min_effect: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    confidence: float = Field(default=0.95, gt=0.5, lt=1)
    min_rows: int = Field(default=1, ge=1)
    floors: dict[str, float] = Field(default_factory=dict)
    ceilings: dict[str, float] = Field(default_factory=dict)
    guardrails: dict[str, Annotated[float, Field(ge=0, allow_inf_nan=False)]] = Field(default_factory=dict)
    slices: Slices | None = None

    @property
    def metrics(self) -> tuple[str, ...]:
        """Every metric that a rule names, once."""
        return tuple(dict.fromkeys((self.metric, *self.guardrails, *self.floors, *self.ceilings)))

    @model_validator(mode="after")
    def _known_metrics(self) -> Gate:
        for name, at in [(self.metric, ("metric",)), *((name, ("guardrails", name)) for name in self.guardrails)]:
            if name not in METRICS:
                raise _no_metric(name, METRICS, *at)
        for key, bounds in (("floors", self.floors), ("ceilings", self.ceilings)):
            for name, bound in bounds.items():
                _require_bound(key, name, bound)
        return self


def _require_bound(key: str, name: str, bound: float) -> None:
    """A floor is for what is better when higher, a ceiling for what is better when lower."""
    if name not in METRICS | OPERATIONAL:
        raise _no_metric(name, METRICS | OPERATIONAL, key, name)
    if not math.isfinite(bound):
        raise problem_at(f"the bound of {name} must be a finite number", key, name)
    right: dict[Direction, str] = {"higher": "floors", "lower": "ceilings"}
    if key != right[direction(name)]:
        raise problem_at(
            f"{name} is better when {direction(name)}: declare it under {right[direction(name)]}", key, name
        )


def _no_metric(name: str, known: Iterable[str], *at: str) -> Exception:
    hint = did_you_mean(name, known) or did_you_mean(f"neg_{name}", known)
    return problem_at(f"no metric {name!r};{hint} the evaluator produces {', '.join(known)}", *at)


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
