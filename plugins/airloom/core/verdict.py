"""The verdict: what was laid before the gate, every rule with what came of it, and what they add up to."""

from __future__ import annotations

from datetime import date
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, computed_field

from airloom.core.fingerprint import fingerprint

Outcome = Literal["first", "better", "tie", "rejected", "incomparable", "older", "pinned"]

#: Which rules speak for an accepted challenger; a refused one is explained by what it failed.
_DECISIVE: dict[Outcome, tuple[str, ...]] = {"first": ("skill", "floor"), "better": ("gain",)}


def _is_absent(value: Any) -> bool:
    """What verdicts did not have before is no part of those, and changes no identity."""
    return value is None or value in ((), {})


class Fact(BaseModel):
    """A frozen value."""

    model_config = ConfigDict(frozen=True)


class Judged(Fact):
    """A model and how it did.

    Args:
        version: Its registered version.
        as_of: The partition as of which it was trained; of a champion whose version was deleted, from which it is
            effective.
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


class Sampling(Fact):
    """How large a sample of rows is, counted in what is independent.

    Args:
        rows: Its rows.
        blocks: How many groups of rows belong together, by the way in which they do: `day`, `entity`, a column, `row`.
        effective: How many of them are independent, where outcomes of neighbouring days overlap; the fewest of any way.
    """

    rows: int
    blocks: dict[str, int]
    effective: float

    def __str__(self) -> str:
        """Write the blocks as people count them, `300 entities on 14 days`."""
        several = {"day": "days", "entity": "entities", "row": "rows"}
        return " on ".join(
            f"{count:,} {name if count == 1 else several.get(name, f'values of {name}')}"
            for name, count in self.blocks.items()
        )


class Effect(Fact):
    """By how much the challenger is better than the champion, or than a baseline, on the same rows.

    Args:
        metric: The metric.
        within: `day` where it is that of each day, averaged.
        challenger: The challenger's value of it.
        champion: The other's.
        gain: The difference, positive when the challenger is better, whichever direction is better.
        lower: The lower end of the interval that holds the gain with the gate's confidence; None where the sample is
            too small to tell.
        upper: Its upper end.
        sampling: The sample that the interval rests on.
        by_rows: The ends of the interval if every row were independent of all others, where that was computed.
        samples: How many bootstrap samples of rows the interval of an older verdict rests on.
    """

    metric: str
    within: Literal["day"] | None = Field(default=None, exclude_if=_is_absent)
    challenger: float
    champion: float
    gain: float
    lower: float | None = None
    upper: float | None = None
    sampling: Sampling | None = Field(default=None, exclude_if=_is_absent)
    by_rows: tuple[float, float] | None = Field(default=None, exclude_if=_is_absent)
    samples: int | None = Field(default=None, exclude_if=_is_absent)


class SliceEffect(Fact):
    """The effect on the rows with one value of a column; None where they are too few to tell."""

    column: str
    value: str
    rows: int
    effect: Effect | None


class Comparison(Fact):
    """The effect on all rows: in the gate's metric, in those that must not get worse, and on every declared slice."""

    effect: Effect
    guardrails: tuple[Effect, ...] = ()
    slices: tuple[SliceEffect, ...] = ()


class Skill(Fact):
    """By how much the challenger is better than a baseline: in the gate's metric, and in a proper score."""

    baseline: str
    effects: tuple[Effect, ...]


class Proof(Fact):
    """What a fresh process found that loaded a version from the registry and scored rows of its training.

    Args:
        version: The registered version.
        rows: How many rows it scored.
        difference: The largest difference from what was predicted when it was trained.
        artifact_bytes: The size of its files.
        load_seconds: How long loading them took, the import of its libraries not counted.
        rows_per_second: How fast it scored.
        problem: Why it cannot serve; None when it can.
        pickles: Its files that run code when they are loaded, which the pipeline allows.
    """

    version: int
    rows: int = 0
    difference: float | None = None
    artifact_bytes: int | None = None
    load_seconds: float | None = None
    rows_per_second: float | None = None
    problem: str | None = None
    pickles: tuple[str, ...] = Field(default=(), exclude_if=lambda names: not names)

    @property
    def metrics(self) -> dict[str, float | None]:
        """The operational metrics."""
        return {name: getattr(self, name) for name in ("artifact_bytes", "load_seconds", "rows_per_second")}


class Check(Fact):
    """One rule and what came of it, in numbers."""

    rule: str
    passed: bool
    found: str
    expected: str


class Case(Fact):
    """What is laid before the gate.

    Args:
        pipeline: Name of the pipeline.
        partition: The as-of of the challenger.
        challenger: The challenger.
        champion: The champion that it is compared with, None when there is none.
        head: The ledger's newest champion; applying the verdict is refused once it has moved.
        proof: Whether the challenger's registered version can serve.
        training_digest: The training set.
        pipeline_digest: The declaration.
        recipe: Fingerprint of declaration and code: how the challenger was trained.
        degraded: Whether the training data carries a warning.
        comparison: Challenger against champion, None when there is no champion that could be scored.
        pinned: By whom and why the champion is pinned; None when it is not.
        warnings: What else a person should know, such as a column that seems to know the label.
        lake: The commit at which each table of the lake was read for the training set.
        baselines: The metrics of every baseline on the same rows, by its name.
        skill: Challenger against baselines.
    """

    pipeline: str
    partition: date
    challenger: Judged
    champion: Judged | None
    head: Head | None
    proof: Proof
    training_digest: str
    pipeline_digest: str
    recipe: str = ""
    degraded: bool = False
    comparison: Comparison | None = None
    pinned: str | None = None
    warnings: tuple[str, ...] = ()
    lake: dict[str, int] = {}
    baselines: dict[str, dict[str, float | None]] = Field(default={}, exclude_if=_is_absent)
    skill: tuple[Skill, ...] = Field(default=(), exclude_if=_is_absent)


class Verdict(Case):
    """The immutable result of one judgement: the case, and what the gate made of it.

    Args:
        outcome: What the checks add up to.
        checks: Every rule, passed or not.
    """

    outcome: Outcome
    checks: tuple[Check, ...]

    @computed_field  # type: ignore[prop-decorator]
    @property
    def id(self) -> str:
        """The verdict's fingerprint, whatever the commits that hold the same data; without warnings as before them."""
        left_out = {"id", "lake"} if self.warnings else {"id", "lake", "warnings"}
        return fingerprint(self.model_dump(mode="json", exclude=left_out))

    @property
    def accepted(self) -> bool:
        """Whether the challenger may become champion."""
        return self.outcome in ("first", "better")

    @property
    def champion_moved(self) -> bool:
        """Whether another champion came between the evaluation and the verdict; an older challenger has none."""
        if self.head is None or self.head.as_of > self.partition:
            return False
        return self.champion is None or self.champion.version != self.head.version

    @property
    def reasons(self) -> str:
        """What decided, as one line: the checks that were not passed, or else those that speak for the challenger."""
        failed = [check for check in self.checks if not check.passed]
        decisive = [check for check in self.checks if check.rule.startswith(_DECISIVE.get(self.outcome, ("",)))]
        return "; ".join(f"{check.rule} {check.found} ({check.expected})" for check in failed or decisive)
