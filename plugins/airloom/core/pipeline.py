"""The declaration of one pipeline, as one frozen model of `pipeline.yaml`."""

from __future__ import annotations

import hashlib
import math
import re
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from airloom.core.documents import problem_at
from airloom.core.metrics import METRICS

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,100}$")]
Reference = Annotated[str, Field(pattern=r"^[A-Za-z_][\w.]*(:[A-Za-z_]\w*)?$")]

_DURATION = re.compile(r"(\d+)\s*([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def _duration(value: Any) -> Any:
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError("a duration is a number and a unit (s, m, h or d), for example 28d")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


def _whole_days(value: timedelta) -> timedelta:
    if value < timedelta(days=1) or value % timedelta(days=1):
        raise ValueError("a window is a whole number of days, at least 1d")
    return value


Duration = Annotated[timedelta, BeforeValidator(_duration)]
Days = Annotated[timedelta, BeforeValidator(lambda value: _whole_days(_duration(value)))]


class Declared(BaseModel):
    """What every part of a declaration has in common: frozen, and no unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Schedule(Declared):
    """When the nightly stages run and which days they cover."""

    nightly: str = Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$", description="local time, HH:MM")
    timezone: str
    start: date
    end: date | None = None
    patience: Duration = timedelta(hours=2)

    @field_validator("timezone")
    @classmethod
    def _known(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (KeyError, ValueError, OSError):
            raise ValueError("not a time zone of the IANA database, for example America/New_York") from None
        return value

    @model_validator(mode="after")
    def _ordered(self) -> Schedule:
        if self.end is not None and self.end < self.start:
            raise problem_at(f"end {self.end} is before start {self.start}", "end")
        return self


class QuarantinePolicy(Declared):
    """How many rows a partition may lose to critical row-level failures and still be published."""

    max_share: float = Field(default=0.0, ge=0, le=1)


class Table(Declared):
    """One raw table: what identifies a row, when it happened and when it became known."""

    key: tuple[str, ...] = Field(min_length=1)
    time: str
    known_at: str
    expectations: Path
    quarantine: QuarantinePolicy = QuarantinePolicy()


class View(Declared):
    """One feature view: the table that its SQL reads and how many days of it."""

    reads: Name
    window: Days
    sql: Path


class Features(Declared):
    """The feature views and the module with their Feast definitions."""

    module: Reference
    views: dict[Name, View] = Field(min_length=1)


class Label(Declared):
    """What is predicted, and how long after the partition it is known."""

    table: Name
    column: str
    known_after: Days


class Inputs(Declared):
    """Columns of a row to be scored that are known in advance."""

    categorical: tuple[str, ...] = ()
    numeric: tuple[str, ...] = ()


class Candidate(Declared):
    """One way to train: a function and its parameters."""

    fit: Reference
    params: dict[str, int | float | str | bool] = {}


class Train(Declared):
    """The training window, its holdout, what models read and who competes."""

    window: Days
    holdout: Days
    inputs: Inputs
    seed: int = 0
    candidates: dict[Name, Candidate] = Field(min_length=1)

    @field_validator("candidates")
    @classmethod
    def _not_the_champion(cls, value: dict[str, Candidate]) -> dict[str, Candidate]:
        if "champion" in value:
            raise ValueError("no candidate may be called champion: that name is the champion's in every evaluation")
        return value

    @model_validator(mode="after")
    def _holdout_inside(self) -> Train:
        if self.holdout >= self.window:
            raise problem_at("holdout must be shorter than window, or nothing is left to train on", "holdout")
        return self


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
    floors: dict[str, float] = {}
    slices: Slices | None = None

    @model_validator(mode="after")
    def _known_metrics(self) -> Gate:
        for name, at in [(self.metric, ("metric",)), *((floor, ("floors", floor)) for floor in self.floors)]:
            if name not in METRICS:
                raise problem_at(f"no metric {name!r}; the evaluator produces {', '.join(METRICS)}", *at)
        for name, floor in self.floors.items():
            if not math.isfinite(floor):
                raise problem_at(f"the floor of {name} must be a finite number", "floors", name)
        return self


class Score(Declared):
    """What is scored every night."""

    entities: Name


class Pipeline(Declared):
    """One machine learning problem."""

    name: Name
    description: str
    owner: str
    schedule: Schedule
    source: Reference
    tables: dict[Name, Table] = Field(min_length=1)
    features: Features
    label: Label
    train: Train
    gate: Gate
    score: Score

    @model_validator(mode="after")
    def _names_exist(self) -> Pipeline:
        for view_name, view in self.features.views.items():
            if view.reads not in self.tables:
                raise problem_at(f"no table {view.reads!r}", "features", "views", view_name, "reads")
        if self.label.table not in self.tables:
            raise problem_at(f"no table {self.label.table!r}", "label", "table")
        if self.score.entities not in self.tables:
            raise problem_at(f"no table {self.score.entities!r}", "score", "entities")
        return self

    @model_validator(mode="after")
    def _no_leak(self) -> Pipeline:
        inputs = {*self.train.inputs.categorical, *self.train.inputs.numeric}
        if self.label.column in inputs:
            raise problem_at(f"{self.label.column!r} is the label", "train", "inputs")
        keys = inputs.intersection(self.tables[self.label.table].key)
        if keys:
            raise problem_at(f"{min(keys)!r} identifies a row and cannot be learned from", "train", "inputs")
        return self

    @model_validator(mode="after")
    def _slices_are_inputs(self) -> Pipeline:
        known = {*self.train.inputs.categorical, *self.train.inputs.numeric}
        for name in self.gate.slices.by if self.gate.slices else ():
            if name not in known:
                raise problem_at(f"no input {name!r} in train.inputs to slice by", "gate", "slices", "by")
        return self

    @property
    def digest(self) -> str:
        """The declaration's fingerprint, the same for the same meaning."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:16]

    @property
    def look_back(self) -> int:
        """The longest window of any feature view, in days."""
        return max(view.window.days for view in self.features.views.values())
