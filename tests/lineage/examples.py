"""One record of every operator, and what lies behind it in validation results and ledger."""

from datetime import date

from airloom.core.records import (
    Answered,
    Applied,
    Chosen,
    Computed,
    Dataset,
    Decided,
    Evaluation,
    Fitted,
    Labelled,
    Materialized,
    Proven,
    Published,
    Record,
    Scored,
    Staged,
    TrainingSet,
    Validation,
)
from airloom.core.verdict import Case, Check, Head, Judged, Proof, Verdict
from airloom.stores.ledger import Ledger
from airloom.stores.validations import ValidationResults

PIPELINE, DAY, BEFORE = "flights", date(2013, 2, 10), date(2013, 2, 9)
SOURCE = Dataset(name="source", partition=DAY)
STAGED = Dataset(
    name="staging.planes", partition=DAY, version="aa11", rows=3, columns={"tailnum": "string", "seats": "int64"}
)
RAW = STAGED.model_copy(update={"name": "raw.planes", "version": "bb22", "commit": 9})
FEATURES = Dataset(
    name="features.plane",
    partition=DAY,
    version="cc33",
    rows=3,
    columns={"tailnum": "string", "plane_seats": "int64", "as_of": "timestamp[us, tz=UTC]"},
    commit=4,
    made_of=(RAW,),
)
LABELS = Dataset(name="raw.flights", partition=BEFORE, version="dd44", commit=7)
TRAINING = Dataset(
    name="training",
    partition=DAY,
    version="ee55",
    rows=100,
    columns={"flight_id": "object", "distance": "float64", "plane__plane_seats": "float64", "late": "float64"},
)
RUN = Dataset(name="run.boosting", partition=DAY, version="run1", columns={"score": "double"})
MODEL = Dataset(name="model", version="6", columns={"score": "double"}, made_of=(RUN,))
CHAMPION = Dataset(name="champion", partition=DAY, version="2")
SCHEDULE = Dataset(name="raw.schedule", partition=DAY, version="ff66")
LABELLED = Dataset(
    name="labels",
    partition=BEFORE,
    version="gg77",
    rows=2,
    columns={"flight_id": "string", "late": "double"},
    commit=2,
    made_of=(LABELS, SCHEDULE),
)
READ = FEATURES.model_copy(update={"columns": {"plane_seats": "float64"}, "made_of": ()})
PREDICTIONS = Dataset(
    name="predictions",
    partition=DAY,
    version="ab12",
    rows=2,
    columns={
        "flight_id": "string",
        "scheduled_at": "timestamp[us, tz=UTC]",
        "airloom_score": "double",
        "airloom_model_version": "int64",
    },
    commit=3,
    made_of=(SCHEDULE, READ, MODEL, CHAMPION),
)

VERDICT = Verdict(
    **vars(
        Case(
            pipeline=PIPELINE,
            partition=DAY,
            challenger=Judged(version=6, as_of=DAY, rows=50, rows_digest="rows", metrics={"roc_auc": 0.62}),
            champion=Judged(version=1, as_of=BEFORE, rows=50, rows_digest="rows", metrics={"roc_auc": 0.56}),
            head=Head(epoch=1, version=1, as_of=BEFORE),
            proof=Proof(version=6, rows=50),
            training_digest="ee55",
            pipeline_digest="declaration",
        )
    ),
    outcome="better",
    checks=(Check(rule="rows", passed=True, found="50", expected="at least 10"),),
)
JUDGED = Dataset(name="verdict", partition=DAY, version=VERDICT.id)

AUDIT = {
    "results": [
        {
            "expectation": "expect_column_values_to_not_be_null",
            "severity": "critical",
            "arguments": {"column": "tailnum"},
            "outcome": "held",
            "found": "",
        },
        {
            "expectation": "expect_column_values_to_be_between",
            "severity": "warning",
            "arguments": {"column": "seats", "min_value": 1, "max_value": 500},
            "outcome": "failed",
            "found": "1 of 3 values",
        },
    ]
}
TRAINING_SET = TrainingSet(
    pipeline=PIPELINE,
    partition=DAY,
    headline="70 rows to learn from",
    inputs=(LABELS, FEATURES),
    outputs=(TRAINING,),
    digest="ee55",
    path="ee55.parquet",
    rows=70,
    holdout_rows=30,
    lake={"raw.flights": 7, "features.plane": 4},
)


def records(settings):
    """Return the records by the name of their operator."""
    result = ValidationResults(settings.validations).write(PIPELINE, "planes", DAY, AUDIT)
    Ledger(settings.state_url).record(VERDICT)
    audit = Dataset(name="validation.planes", partition=DAY, version="audit")
    raw = RAW.model_copy(update={"made_of": (STAGED, audit)})
    online = FEATURES.model_copy(update={"name": "online.plane", "made_of": (FEATURES,)})

    def about(kind, headline, inputs=(), outputs=(), **facts):
        return kind(pipeline=PIPELINE, partition=DAY, headline=headline, inputs=inputs, outputs=outputs, **facts)

    applied = {"champion_version": 6, "epoch": 2, "moved": True}
    return {
        "ExtractOperator": about(Staged, "3 rows", (SOURCE,), (STAGED,), tables={"planes": 3}, digest="d"),
        "ValidateOperator": about(
            Validation,
            "planes: 3 rows, 1 failed",
            (STAGED,),
            (audit,),
            table="planes",
            outcome="degraded",
            expectations=2,
            rows=3,
            result=result,
        ),
        "PublishOperator": about(Published, "published 1 table", (STAGED, audit), (raw,), changed=1),
        "ComputeOperator": about(Computed, "3 rows in 1 view", (RAW,), (FEATURES,), views={"plane": 3}, changed=1),
        "MaterializeOperator": about(Materialized, "3 entities", (FEATURES,), (online,), rows={"plane": 3}),
        "LabelOperator": about(Labelled, "2 labels of 1 day", (LABELS, SCHEDULE), (LABELLED,), rows=2, changed=1),
        "AssembleOperator": TRAINING_SET,
        "FitOperator": about(
            Fitted,
            "boosting learned from 70 rows",
            (TRAINING,),
            (RUN,),
            candidate="boosting",
            run_id="run1",
            seconds=1.5,
        ),
        "EvaluateOperator": about(
            Evaluation,
            "boosting is version 6",
            (TRAINING, RUN, Dataset(name="model", version="1")),
            (MODEL,),
            challenger="boosting",
            challenger_version=6,
            champion_version=1,
            training_digest="ee55",
            rows_digest="rows",
            rows=50,
            metrics={},
        ),
        "ProveOperator": about(Proven, "version 6 can serve", (MODEL,), proof=VERDICT.proof),
        "DecideOperator": about(Decided, "better", (MODEL,), (JUDGED,), verdict=VERDICT.id, outcome="better"),
        "ApproveOperator": about(
            Answered, "approved by admin", (JUDGED,), verdict=VERDICT.id, approved=True, actor="admin"
        ),
        "ApplyOperator": about(Applied, "champion is now version 6", (JUDGED, MODEL), (CHAMPION,), **applied),
        "NoteFailureOperator": about(Record, "noted"),
        "ChooseOperator": about(
            Chosen, "roll back", (MODEL,), action="rollback", version=6, epoch=1, actor="admin", reason="a reason"
        ),
        "ProveChoiceOperator": about(Proven, "version 6 can serve", (MODEL,), proof=VERDICT.proof, rows=2),
        "ApplyChoiceOperator": about(Applied, "champion is now version 6", (MODEL,), (CHAMPION,), **applied),
        "ScoreOperator": about(
            Scored, "2 rows scored", (SCHEDULE, READ, MODEL, CHAMPION), (PREDICTIONS,), champion_version=6, rows=2
        ),
        "ReviewOperator": about(Record, "version 6 was better than a constant", (JUDGED,)),
        "RescoreOperator": about(
            Scored, "2 rows scored", (SCHEDULE, READ, MODEL, CHAMPION), (PREDICTIONS,), champion_version=6, rows=2
        ),
    }
