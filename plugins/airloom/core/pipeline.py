"""The declaration of one pipeline, as one frozen model of `pipeline.yaml`."""

from __future__ import annotations

import hashlib
from datetime import date, timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo

from pydantic import Field, field_validator, model_validator

from airloom.core.column_types import ColumnType
from airloom.core.declared import (
    Days,
    Declared,
    Duration,
    File,
    Function,
    Name,
    Names,
    Number,
    PipelineName,
    Reference,
    TableName,
    Tables,
    is_absent,
)
from airloom.core.documents import problem_at
from airloom.core.metrics import OPERATIONAL, Kind, metrics_of
from airloom.core.partitions import exists, window
from airloom.core.reserved import collisions
from airloom.core.rules import DAY, ENTITY, ROW, Circuit, Gate, Promotion

#: What the query of a label knows the scored rows as.
EXAMPLES = "examples"


#: Places that people mean by the abbreviations that the database has as zones.
_PLACES = {
    "EST": "America/New_York",
    "EST5EDT": "America/New_York",
    "CST6CDT": "America/Chicago",
    "MST": "America/Denver",
    "MST7MDT": "America/Denver",
    "PST8PDT": "America/Los_Angeles",
    "HST": "Pacific/Honolulu",
    "WET": "Europe/Lisbon",
    "CET": "Europe/Berlin",
    "MET": "Europe/Berlin",
    "EET": "Europe/Helsinki",
}


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
        if value in _PLACES:
            raise ValueError(
                f"{value} is an abbreviation and no place: its clocks never change, or change by the rules of "
                f"others; name a place, for example {_PLACES[value]}"
            )
        return value

    @model_validator(mode="after")
    def _ordered(self) -> Schedule:
        if self.end is not None and self.end < self.start:
            raise problem_at(f"end {self.end} is before start {self.start}", "end")
        return self

    def window(self, last: date, days: int) -> list[date]:
        """List the days that end with ``last``, oldest first: none before the start, none that the zone never had."""
        return [day for day in window(last, days, self.start) if exists(day, self.timezone)]


class QuarantinePolicy(Declared):
    """How many rows a partition may lose to critical row-level failures and still be published."""

    max_share: Number = Field(default=0.0, ge=0, le=1)


class Table(Declared):
    """One raw table: what identifies a row, when it happened, when it became known, and whether a day may have none.

    Rows that happened further from their day than `time_within` are counted in the log: by default a day, in a label's
    table as long as its `horizon` and `delay`.
    """

    key: tuple[str, ...] = Field(min_length=1)
    time: str
    known_at: str
    expectations: File
    quarantine: QuarantinePolicy = QuarantinePolicy()
    empty: Literal["allow", "refuse"] | None = None
    columns: dict[str, ColumnType] | None = Field(
        default=None, exclude_if=is_absent, description="types of columns, for example {amount: decimal(18,2)}"
    )
    time_within: Duration | None = Field(default=None, exclude_if=is_absent)


class View(Declared):
    """One feature view: the tables that its SQL reads and how many days of them."""

    reads: Tables
    window: Days
    sql: File


class Features(Declared):
    """The feature views and the module with their Feast definitions."""

    module: Reference
    views: dict[TableName, View] = Field(min_length=1)

    @property
    def reads(self) -> list[str]:
        """The tables that any view reads."""
        return list(dict.fromkeys(table for view in self.views.values() for table in view.reads))


class Label(Declared):
    """What is predicted: a column of a table or of a query, how long after the as-of it happens and when it is known.

    A day S is mature, and trains, once its label's `horizon` and `delay` have passed. A label that is not what the kind
    and the classes say is `unknown`: it stops a training (`block`), or its row is left out and counted (`drop`).
    """

    table: Name | None = None
    column: str
    sql: File | None = Field(default=None, exclude_if=is_absent)
    reads: Tables | None = Field(default=None, exclude_if=is_absent)
    key: tuple[str, ...] = ()
    horizon: Duration
    delay: Duration = timedelta(0)
    missing: Literal["drop", "negative"] = "drop"
    kind: Kind = "binary"
    classes: tuple[str, ...] = ()
    unknown: Literal["drop", "block"] = Field(default="block", exclude_if=lambda value: value == "block")
    series: Names | None = Field(default=None, exclude_if=is_absent)

    @model_validator(mode="before")
    @classmethod
    def _of_today(cls, values: Any) -> Any:
        if isinstance(values, dict) and "known_after" in values:
            raise problem_at(
                f"write `horizon: 1d, delay: {values['known_after']}` instead: the outcome lies within `horizon` after "
                "the as-of, and is known at most `delay` later",
                "known_after",
            )
        return values

    @field_validator("horizon")
    @classmethod
    def _lasts(cls, value: timedelta) -> timedelta:
        if not value:
            raise ValueError("an outcome lies after the as-of: a horizon is longer than nothing")
        return value

    @model_validator(mode="after")
    def _one_source(self) -> Label:
        if self.table is not None and self.sql is not None:
            raise problem_at("a label is a column of a table or of a query: declare `table` or `sql`, not both", "sql")
        if self.table is None and self.sql is None:
            raise problem_at("declare `table`, the table that has the label, or `sql` and `reads`, a query for it")
        if self.table is not None and self.reads is not None:
            raise problem_at("only a query has tables to read: declare `sql` instead of `table`", "reads")
        if self.sql is not None and self.reads is None:
            raise problem_at("name the tables that the query reads: `reads: [events, plans]`", "sql")
        if EXAMPLES in (self.reads or ()):
            raise problem_at(f"{EXAMPLES} is what the query knows the scored rows as; rename the table", "reads")
        return self

    @model_validator(mode="after")
    def _classes_fit(self) -> Label:
        distinct = len(set(self.classes)) == len(self.classes)
        if self.kind == "multiclass" and (len(self.classes) < 3 or not distinct):
            raise problem_at("a multiclass label names its classes, three or more, each once", "classes")
        if self.kind == "binary" and self.classes and (len(self.classes) != 2 or not distinct):
            raise problem_at("a binary label names two classes, of which the second is the positive one", "classes")
        if self.kind == "regression" and self.classes:
            raise problem_at("a regression label has no classes to name", "classes")
        if self.kind != "binary" and self.missing == "negative":
            raise problem_at(f"a {self.kind} label has no negative class", "missing")
        if self.kind != "regression" and self.series:
            raise problem_at(f"only values make a series, and a {self.kind} label has classes", "series")
        return self

    @property
    def scored_classes(self) -> tuple[str, ...]:
        """The classes that have a probability each; a binary label has one alone, that of the positive class."""
        return self.classes if self.kind == "multiclass" else ()

    @property
    def matures_after(self) -> timedelta:
        """How many whole days after a scored day its labels are known."""
        return _whole_days(self.horizon + self.delay)

    @property
    def embargo(self) -> timedelta:
        """How many whole days before the holdout share their outcomes with it."""
        return _whole_days(self.horizon)


class Inputs(Declared):
    """Columns of a row to be scored that are known in advance."""

    categorical: tuple[str, ...] = ()
    numeric: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _each_once(self) -> Inputs:
        names = (*self.categorical, *self.numeric)
        if twice := [name for name in dict.fromkeys(names) if names.count(name) > 1]:
            raise problem_at(f"{twice[0]!r} is listed twice")
        return self


class Candidate(Declared):
    """One way to train: a function and its parameters."""

    fit: Reference
    params: dict[str, int | float | str | bool] = Field(default_factory=dict)


class Window(Declared):
    """How many scored days a training covers, holdout and embargo included: at least, and at most."""

    min: Days
    max: Days

    @model_validator(mode="before")
    @classmethod
    def _both(cls, value: Any) -> Any:
        return value if isinstance(value, dict | Window) else {"min": value, "max": value}

    @model_validator(mode="after")
    def _ordered(self) -> Window:
        if self.max < self.min:
            raise problem_at("max must not be shorter than min", "max")
        return self


class Train(Declared):
    """The training window, its holdout, what models read and who competes."""

    window: Window
    holdout: Days
    inputs: Inputs
    seed: int = 0
    leak: Literal["warn", "block"] = "warn"
    weight: str | None = None
    candidates: dict[Name, Candidate] = Field(min_length=1)
    circuit: Circuit | None = None

    @field_validator("candidates")
    @classmethod
    def _not_the_champion(cls, value: dict[str, Candidate]) -> dict[str, Candidate]:
        if "champion" in value:
            raise ValueError("no candidate may be called champion: that name is the champion's in every evaluation")
        return value


class Sink(Declared):
    """Where predictions are copied to, besides the lake: a table of the database `AIRLOOM_PREDICTIONS_URL`."""

    table: str = Field(
        pattern=r"^[a-z_][a-z0-9_]{0,62}$", description="small letters, digits and underscores, at most 63"
    )


class Score(Declared):
    """What is scored every night: by the champion as of the day and, if wanted, by the champion of now besides."""

    entities: Name
    model: Literal["as_of", "current"] = "as_of"
    sink: Sink | None = None


class Artifacts(Declared):
    """What files of models may hold."""

    pickle: Literal["refuse", "allow"] = "refuse"


class Pipeline(Declared):
    """One machine learning problem."""

    name: PipelineName
    description: str
    owner: str
    schedule: Schedule
    source: Reference
    tables: dict[TableName, Table] = Field(min_length=1)
    features: Features
    label: Label
    train: Train
    gate: Gate
    promotion: Promotion = Promotion()
    score: Score
    artifacts: Artifacts = Field(default=Artifacts(), exclude_if=lambda declared: declared == Artifacts())
    alert: Function | None = None

    @model_validator(mode="after")
    def _names_exist(self) -> Pipeline:
        for view_name, view in self.features.views.items():
            for table in view.reads:
                if table not in self.tables:
                    raise problem_at(f"no table {table!r}", "features", "views", view_name, "reads")
        if self.label.table is not None and self.label.table not in self.tables:
            raise problem_at(f"no table {self.label.table!r}", "label", "table")
        for table in self.label.reads or ():
            if table not in self.tables:
                raise problem_at(f"no table {table!r}", "label", "reads")
        if self.score.entities not in self.tables:
            raise problem_at(f"no table {self.score.entities!r}", "score", "entities")
        return self

    @model_validator(mode="after")
    def _columns_are_not_ours(self) -> Pipeline:
        for column, place, at in collisions(self):
            raise problem_at(f"{column!r} is a column that Airloom adds to {place}: rename yours in the source", *at)
        return self

    @model_validator(mode="after")
    def _no_leak(self) -> Pipeline:
        inputs = {*self.train.inputs.categorical, *self.train.inputs.numeric}
        if self.label.column in inputs:
            raise problem_at(f"{self.label.column!r} is the label", "train", "inputs")
        keys = inputs.intersection({*self.tables[self.subject].key, *self.tables[self.score.entities].key})
        if keys:
            raise problem_at(f"{min(keys)!r} identifies a row and cannot be learned from", "train", "inputs")
        return self

    @model_validator(mode="after")
    def _weight_is_not_the_label(self) -> Pipeline:
        if self.train.weight == self.label.column:
            raise problem_at(f"{self.label.column!r} is the label", "train", "weight")
        return self

    @model_validator(mode="after")
    def _series_is_of_the_label(self) -> Pipeline:
        for name in self.label.series or ():
            if name not in self.label_key:
                known = ", ".join(self.label_key)
                raise problem_at(f"{name!r} is no column of the label's key: {known}", "label", "series")
        return self

    @model_validator(mode="after")
    def _something_to_learn_from(self) -> Pipeline:
        if self.train.holdout + self.label.embargo >= self.train.window.min:
            days = (self.train.holdout + self.label.embargo).days
            raise problem_at(
                f"the holdout and the embargo before it, as long as the label's horizon, take {days} of "
                f"{self.train.window.min.days} days of the shortest window: nothing is left to train on",
                *("train", "holdout"),
            )
        return self

    @model_validator(mode="after")
    def _slices_are_inputs(self) -> Pipeline:
        known = {*self.train.inputs.categorical, *self.train.inputs.numeric}
        for name in self.gate.slices.by if self.gate.slices else ():
            if name not in known:
                raise problem_at(f"no input {name!r} in train.inputs to slice by", "gate", "slices", "by")
        return self

    @model_validator(mode="after")
    def _blocks_are_known(self) -> Pipeline:
        inputs = (*self.train.inputs.categorical, *self.train.inputs.numeric)
        known = dict.fromkeys((DAY, ENTITY, ROW, *self.tables[self.score.entities].key, *inputs))
        for name in self.gate.cluster or ():
            if name not in known:
                raise problem_at(f"rows cannot be grouped by {name!r}, but by {', '.join(known)}", "gate", "cluster")
        return self

    @model_validator(mode="after")
    def _metrics_fit_the_label(self) -> Pipeline:
        produced = {*metrics_of(self.label.kind), *OPERATIONAL}
        for key, names in {
            "metric": (self.gate.metric,),
            "proper": (self.gate.proper,) if self.gate.proper and self.gate.proper != "none" else (),
            "guardrails": self.gate.guardrails,
            "floors": self.gate.floors,
            "ceilings": self.gate.ceilings,
        }.items():
            for name in names:
                if name not in produced:
                    at = ("gate", key) if key in ("metric", "proper") else ("gate", key, name)
                    known = ", ".join(metrics_of(self.label.kind))
                    raise problem_at(f"{name} is no metric of a {self.label.kind} label, which has {known}", *at)
        return self

    @property
    def digest(self) -> str:
        """The declaration's fingerprint, the same for the same meaning.

        Where predictions are copied to is no part of it, nor which tables may have days without rows, nor what is only
        counted.
        """
        exclude: Any = {"score": {"sink"}, "tables": {"__all__": {"empty", "time_within"}}}
        return hashlib.sha256(self.model_dump_json(exclude=exclude).encode()).hexdigest()[:16]

    def allows_empty(self, table: str) -> bool:
        """Tell whether a day of a table may have no rows.

        Unless declared, only a label's table may where no outcome is the negative class: nobody left that day.
        """
        declared = self.tables[table].empty
        if declared is None:
            return table == self.label.table and self.label.missing == "negative"
        return declared == "allow"

    @property
    def subject(self) -> str:
        """The table that describes a day: the label's, or that of the scored rows where a query gives the label."""
        return self.label.table or self.score.entities

    @property
    def label_key(self) -> tuple[str, ...]:
        """The columns by which a scored row finds its label."""
        return self.label.key or self.tables[self.score.entities].key

    @property
    def look_back(self) -> int:
        """The longest window of any feature view, in days."""
        return max(view.window.days for view in self.features.views.values())


def _whole_days(duration: timedelta) -> timedelta:
    return timedelta(days=-(-duration // timedelta(days=1)))
