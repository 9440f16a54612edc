"""Records: the small frozen facts that steps return, the only thing that crosses XCom and asset events."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from airloom.core.verdict import Proof


class Dataset(BaseModel):
    """One version of one partition of something that steps read or write.

    Args:
        name: `raw.flights`, `features.carrier_delays`, `predictions`, `model` …, without the pipeline.
        partition: The day, where the dataset has partitions.
        version: Its content's digest, the model's version, or None where there is none.
        rows: How many rows, where rows are counted.
        columns: Column names and types; of an input, those that were read, where that is known.
        commit: A commit of the lake at which the table holds this version.
        unchanged: Whether an output was there before, just like this.
        made_of: Which of the step's inputs this output alone was computed from, where it was not all of them. It is for
            lineage, in the process that ran the step, and stays there.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    partition: date | None = None
    version: str | None = None
    rows: int | None = None
    columns: dict[str, str] = {}
    commit: int | None = None
    unchanged: bool = False
    made_of: tuple[Dataset, ...] = Field(default=(), exclude=True)

    @classmethod
    def champion(cls, epoch: int, effective_from: date) -> Dataset:
        """Name a row of the ledger."""
        return cls(name="champion", partition=effective_from, version=str(epoch))


class Record(BaseModel):
    """What a step did for one partition.

    Args:
        pipeline: Name of the pipeline.
        partition: The day.
        headline: What happened, in numbers: the line that a person reads first.
        inputs: What was read.
        outputs: What was written, the partition's own last.
    """

    model_config = ConfigDict(frozen=True)

    pipeline: str
    partition: date
    headline: str
    inputs: tuple[Dataset, ...] = ()
    outputs: tuple[Dataset, ...] = ()

    def to_xcom(self) -> dict[str, Any]:
        """Return the record as plain JSON values."""
        return self.model_dump(mode="json")


class Staged(Record):
    """A partition extracted to staging, not yet audited.

    Args:
        tables: Rows by table.
        digest: Fingerprint of the staged content.
        floored: Times that were brought down to whole microseconds, by table; without tables that have none.
        far: Rows that happened further from the day than their table says, by table; without tables that have none.
    """

    tables: dict[str, int]
    digest: str
    floored: dict[str, int] = {}
    far: dict[str, int] = {}


class Withdrawn(Record):
    """A published day that a person has taken back.

    Args:
        table: The table of the lake.
        version: Digest of the content that was taken back.
        commit: The commit of the lake that has it last, readable until a vacuum.
        rows: How many rows it had.
        actor: Who.
        reason: Why.
        decided_at: When it was decided.
        built: What was built on this content, and is stale since, in words.
    """

    table: str
    version: str
    commit: int | None
    rows: int | None
    actor: str
    reason: str
    decided_at: datetime
    built: tuple[str, ...]


class Failure(BaseModel):
    """One expectation that did not hold; holds no value of the data.

    Args:
        expectation: Its name.
        column: The columns that it is about.
        severity: `critical`, `warning` or `info`.
        expected: What was declared.
        found: What was there, in counts and types.
    """

    model_config = ConfigDict(frozen=True)

    expectation: str
    column: str | None
    severity: str
    expected: str
    found: str


class Validation(Record):
    """The audit of one table of one partition.

    Args:
        table: The table.
        outcome: `passed`, `degraded` (warnings), `quarantined` (some rows held back) or `blocked`.
        expectations: How many were checked.
        rows: Rows that were staged.
        quarantined_rows: Rows that are held back.
        failures: What did not hold.
        result: Path of the immutable result, below the folder of validation results.
    """

    table: str
    outcome: str
    expectations: int
    rows: int
    quarantined_rows: int = 0
    failures: tuple[Failure, ...] = ()
    result: str


class Published(Record):
    """Partitions made visible in the lake.

    Args:
        changed: How many of the outputs are new content.
        quarantined_rows: Rows that were held back.
        degraded: Whether a warning stands against the partition.
    """

    changed: int
    quarantined_rows: int = 0
    degraded: bool = False


class Computed(Record):
    """Features computed from published data.

    Args:
        views: Entities by feature view.
        changed: How many partitions of views are new content.
        healed: Other days that were computed again, because what they were computed from has changed.
        degraded: Whether a day they were computed from is degraded or missing.
    """

    views: dict[str, int]
    changed: int
    healed: tuple[date, ...] = ()
    degraded: bool = False


class Materialized(Record):
    """Features written to the online store.

    Args:
        rows: Entities by feature view.
    """

    rows: dict[str, int]


class Leak(BaseModel):
    """A sign that a column knows the label.

    Args:
        column: The column that models read.
        sign: `separation`: it orders the label by itself; `missingness`: the label is another where it is missing.
        value: The lower 99 % bound of the area under the curve or of the rank correlation; the p-value.
    """

    model_config = ConfigDict(frozen=True)

    column: str
    sign: Literal["separation", "missingness"]
    value: float

    def __str__(self) -> str:
        if self.sign == "separation":
            return f"{self.column} separates the label by itself (above {self.value:.3f})"
        return f"the label differs where {self.column} is missing (p = {self.value:.1g})"


class Labelled(Record):
    """Labels computed by the declared query.

    Args:
        rows: Labels of the training window.
        changed: How many partitions are new content.
        ignored: Rows of the query's results, where these were computed, whose key is of no scored row.
        degraded: Whether a day they were computed from is degraded.
    """

    rows: int
    changed: int
    ignored: int = 0
    degraded: bool = False


class TrainingSet(Record):
    """The rows that a night's candidates learn from and are judged on.

    Args:
        digest: Fingerprint of rows, declaration and lake versions.
        path: The file, below the folder of training sets.
        rows: Rows to learn from.
        holdout_rows: Rows to be judged on.
        degraded: Whether any day it was made of is degraded.
        dropped: Rows of the window that were left out, by reason.
        leaks: Columns that seem to know the label.
        lake: The commit at which each table was read, or was when the features read from it were joined.
        left_out: Days of feature views that were there and not used, because they were stale and could not be healed.
    """

    digest: str
    path: str
    rows: int
    holdout_rows: int
    degraded: bool = False
    dropped: dict[str, int] = {}
    leaks: tuple[Leak, ...] = ()
    lake: dict[str, int] = {}
    left_out: dict[str, tuple[date, ...]] = {}


class Fitted(Record):
    """One trained candidate.

    Args:
        candidate: Its name in the declaration.
        run_id: Its MLflow run.
        seconds: What the training took.
    """

    candidate: str
    run_id: str
    seconds: float


class Evaluation(Record):
    """Every candidate and the champion on the same rows.

    Args:
        challenger: Name of the best candidate.
        challenger_version: Its registered version.
        champion_version: The version it is compared with, None when there is none.
        training_digest: The training set.
        rows_digest: Fingerprint of the rows that all models were scored on.
        rows: How many.
        metrics: Metrics by candidate name, and by `champion`.
        degraded: Whether any day that the rows were made of is degraded.
        leaks: Columns that seem to know the label.
        lake: The commit at which each table was read for the training set.
        results: Path of the results by row, below the folder of training sets.
        champion_problem: Why the champion could not be scored, if it could not.
        left_out: Why a candidate could not be scored, by the names of those that could not.
        baselines: The metrics of every baseline, by its name.
    """

    challenger: str
    challenger_version: int
    champion_version: int | None
    training_digest: str
    rows_digest: str
    rows: int
    metrics: dict[str, dict[str, float | None]]
    degraded: bool = False
    leaks: tuple[Leak, ...] = ()
    lake: dict[str, int] = {}
    results: str = ""
    champion_problem: str | None = None
    left_out: dict[str, str] = {}
    baselines: dict[str, dict[str, float | None]] = {}


class Decided(Record):
    """A verdict, by its identifier in the ledger."""

    verdict: str
    outcome: str


class Answered(Record):
    """What a person said to a verdict that would move the champion.

    Args:
        verdict: The verdict that was shown.
        approved: Whether it may.
        actor: Who said so; nobody when the time was over.
    """

    verdict: str
    approved: bool
    actor: str


class Chosen(Record):
    """What a person wants to be champion.

    Args:
        action: `rollback` or `promote`.
        version: The version.
        epoch: The ledger's epoch that it was chosen against; applying it is refused once that has moved.
        actor: Who wants it.
        reason: Why.
    """

    action: str
    version: int
    epoch: int
    actor: str
    reason: str


class Proven(Record):
    """A version that was loaded from the registry and has scored.

    Args:
        proof: What came of it.
        rows: How many rows of the day it scored besides.
    """

    proof: Proof
    rows: int = 0


class Applied(Record):
    """What a verdict did to the champion.

    Args:
        champion_version: The champion afterwards.
        epoch: The ledger's epoch afterwards; 0 when nobody was ever promoted.
        moved: Whether this verdict moved it.
    """

    champion_version: int | None
    epoch: int
    moved: bool


class Scored(Record):
    """Predictions for one partition.

    Args:
        champion_version: The model that made them; None when only other days were scored again.
        rows: How many.
        healed: Other partitions that were scored again.
        expired: Rows by feature view whose features were older than the view's TTL, and so were taken as missing.
        without_key: Rows by feature view that lack a key of it, and so have none of its features.
        compared: Values that were also asked from the online store; 0 for a partition that is not the newest there.
    """

    champion_version: int | None
    rows: int
    healed: tuple[date, ...] = ()
    expired: dict[str, int] = {}
    without_key: dict[str, int] = {}
    compared: int = 0
