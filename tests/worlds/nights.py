"""A small pipeline and training sets of it, for the steps that train and judge."""

from datetime import date, timedelta

import numpy as np
import pandas as pd

from airloom.core.pipeline import Pipeline
from airloom.core.records import Dataset, TrainingSet
from airloom.core.settings import Settings
from airloom.steps.columns import ModelColumns
from airloom.steps.examples import DAY
from airloom.steps.training_sets import SPLIT, write_training_set
from tests.worlds.installation import declaration

NIGHT = date(2024, 1, 10)
COLUMNS = ModelColumns(categorical=("carrier",), numeric=("distance", "carrier_delays__late_rate"))

#: With these parameters a candidate learns within a moment.
BOOSTING = {"fit": "tests.worlds.models:boosting", "params": {"max_iter": 8, "min_samples_leaf": 10}}
NETWORK = {"fit": "tests.worlds.models:network", "params": {"epochs": 2, "learning_rate": 0.01}}


def pipeline_with(**candidates) -> Pipeline:
    return Pipeline.model_validate(declaration_with(**candidates))


def declaration_with(**candidates) -> dict:
    table = {"key": ["flight_id"], "time": "scheduled_at", "known_at": "known_at", "expectations": "none.yaml"}
    return declaration(
        "late",
        tables={"flights": table, "schedule": table},
        features={
            "module": "include.late.features",
            "views": {"carrier_delays": {"reads": "flights", "window": "7d", "sql": "none.sql"}},
        },
        label={"table": "flights", "column": "late", "horizon": "1d"},
        train={
            "window": "6d",
            "holdout": "2d",
            "seed": 7,
            "inputs": {"categorical": ["carrier"], "numeric": ["distance"]},
            "candidates": candidates or {"boosting": BOOSTING, "network": NETWORK},
        },
        gate={"metric": "roc_auc", "floors": {"roc_auc": 0.6}, "cluster": "row", "baseline": "none"},
        score={"entities": "schedule"},
    )


def example_rows(rows_a_day: int = 120, seed: int = 1, night: date = NIGHT) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    days = np.repeat([night - timedelta(days=back) for back in range(5, 0, -1)], rows_a_day)
    frame = pd.DataFrame(
        {
            "flight_id": [f"{day}/{number}" for number, day in enumerate(days)],
            DAY: days,
            SPLIT: ["holdout" if day >= night - timedelta(days=2) else "train" for day in days],
            "carrier": random.choice(["UA", "B6", "WN"], len(days)),
            "distance": random.integers(90, 4000, len(days)),
            "carrier_delays__late_rate": random.random(len(days)),
        }
    )
    chance = 0.8 * frame["carrier_delays__late_rate"] + 0.2 * (frame["carrier"] == "WN")
    return frame.assign(late=(random.random(len(days)) < chance).astype(float))


def training_set(
    pipeline: Pipeline, settings: Settings, rows: pd.DataFrame | None = None, night: date = NIGHT
) -> TrainingSet:
    rows = example_rows() if rows is None else rows
    digest, path = write_training_set(pipeline, night, rows, COLUMNS, settings)
    holdout = int((rows[SPLIT] == "holdout").sum())
    return TrainingSet(
        pipeline=pipeline.name,
        partition=night,
        headline="made for a test",
        digest=digest,
        path=path,
        rows=len(rows) - holdout,
        holdout_rows=holdout,
        lake={"raw.flights": 4},
        outputs=(Dataset(name="training", partition=night, version=digest),),
    )
