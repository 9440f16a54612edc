"""What the gate promises, on many nights of data in which nothing changes: luck moves no champion, and makes none."""

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest

from airloom.core.gate import decide
from airloom.core.partitions import day_range
from airloom.core.pipeline import Pipeline
from airloom.core.records import Evaluation
from airloom.core.verdict import Case, Head, Judged, Proof
from airloom.steps.baselines import linear, predict_constant
from airloom.steps.columns import ModelColumns
from airloom.steps.compare import compare, compare_with_baselines
from airloom.steps.evaluate import score_metrics
from airloom.steps.examples import DAY
from airloom.steps.training import training_data
from airloom.steps.training_sets import Rows
from tests.worlds.installation import settings_at
from tests.worlds.late_labels.days import declared
from tests.worlds.late_labels.include.churn import source as churn
from tests.worlds.nights import declaration_with


class Silent:
    def log(self, metrics, step):
        """Keep nothing."""


class Nights:
    """One night after another: a linear challenger, judged by the gate against the champion so far.

    Args:
        pipeline: The declaration.
        rows: All labelled rows, with the day.
        settings: Where results by row may be written.
    """

    def __init__(self, pipeline, rows, settings):
        self.pipeline, self.rows, self.settings = pipeline, rows, settings
        self.columns = ModelColumns(**pipeline.train.inputs.model_dump())
        self.champions = []
        settings.training.mkdir(parents=True, exist_ok=True)

    def judge(self, night):
        """Return the outcome of a night."""
        newest, train = night - self.pipeline.label.matures_after, self.pipeline.train
        held_out = self.between(newest - train.holdout, newest)
        last = newest - train.holdout - self.pipeline.label.embargo
        learned = Rows(self.between(newest - train.window.max, last), self.columns, "d")
        model = linear(training_data(self.pipeline, learned), {"c": 0.1}, Silent())
        outputs = {
            "challenger": model.predict(held_out),
            "constant": predict_constant(self.pipeline, learned, held_out),
        }
        if self.champions:
            outputs["champion"] = self.champions[-1].predict(held_out)
        verdict = decide(self.case(night, held_out, outputs), self.pipeline.gate)
        if verdict.accepted:
            self.champions.append(model)
        return verdict.outcome

    def between(self, after, last):
        """Return the rows of the days after one, up to another."""
        days = self.rows[DAY]
        return self.rows[(days > after) & (days <= last)].reset_index(drop=True)

    def case(self, night, held_out, outputs):
        held_out.assign(**outputs).to_parquet(self.settings.training / "results.parquet")
        label = held_out[self.pipeline.label.column].to_numpy(dtype=float)
        metrics = {name: score_metrics("binary", label, each) for name, each in outputs.items()}
        before, version = len(self.champions) or None, len(self.champions) + 1
        evaluation = Evaluation(
            pipeline=self.pipeline.name,
            partition=night,
            headline="planted",
            challenger="challenger",
            challenger_version=version,
            champion_version=before,
            training_digest="t",
            rows_digest="r",
            rows=len(label),
            metrics={name: each for name, each in metrics.items() if name != "constant"},
            baselines={"constant": metrics["constant"]},
            results="results.parquet",
        )
        judged = {"as_of": night, "rows": len(label), "rows_digest": "r"}
        return Case(
            pipeline=self.pipeline.name,
            partition=night,
            challenger=Judged(version=version, metrics=metrics["challenger"], **judged),
            champion=Judged(version=before, metrics=metrics["champion"], **judged) if before else None,
            head=Head(epoch=before, version=before, as_of=night - timedelta(days=1)) if before else None,
            proof=Proof(version=version),
            training_digest="t",
            pipeline_digest="p",
            comparison=compare(self.pipeline, evaluation, self.settings),
            skill=compare_with_baselines(self.pipeline, evaluation, self.settings),
        )


@pytest.mark.long
def test_customers_who_do_not_change_have_hardly_a_new_champion(tmp_path):
    """A challenger of the next day has learned from almost the same customers: at most 5 of 100 nights promote."""
    facts = declared("churn").model_dump(mode="json")
    facts["train"] |= {"window": "56d", "holdout": "14d"}
    pipeline = Pipeline.model_validate({**facts, "gate": {"metric": "average_precision"}})
    first = pipeline.schedule.start + pipeline.train.window.max + pipeline.label.matures_after
    rows = looks(day_range(pipeline.schedule.start, first + timedelta(days=100)))
    nights = Nights(pipeline, rows, settings_at(tmp_path))
    outcomes = [nights.judge(first + timedelta(days=number)) for number in range(100)]
    assert "first" in outcomes
    assert outcomes.count("better") <= 5


def looks(days):
    """Return every look at a customer, and what became of it in the end."""
    tables = []
    for day in days:
        seen = churn.customers(day)
        final = churn.became(day).drop_duplicates("customer_id", keep="last")
        tables.append(seen.merge(final[["customer_id", "churned"]], on="customer_id").assign(**{DAY: day}))
    return pd.concat(tables, ignore_index=True)


@pytest.mark.long
def test_labels_that_are_noise_have_hardly_ever_a_champion(tmp_path):
    """In at most 5 of 100 histories of 60 days, whose days differ in luck, anything becomes champion."""
    facts = declaration_with()
    facts["train"] |= {
        "window": "40d",
        "holdout": "14d",
        "inputs": {"categorical": ["carrier"], "numeric": ["distance"]},
    }
    pipeline = Pipeline.model_validate({**facts, "gate": {"metric": "roc_auc"}})
    crowned = 0
    for seed in range(100):
        nights = Nights(pipeline, noise(seed), settings_at(tmp_path))
        crowned += "first" in [nights.judge(night) for night in day_range(date(2024, 2, 10), date(2024, 2, 29))]
    assert crowned <= 5


def noise(seed, rows_a_day=60):
    random = np.random.default_rng(seed)
    days = np.repeat(day_range(date(2024, 1, 1), date(2024, 2, 29)), rows_a_day)
    chance = np.repeat(random.beta(6, 14, len(days) // rows_a_day), rows_a_day)
    return pd.DataFrame(
        {
            "flight_id": [f"{day}/{number}" for number, day in enumerate(days)],
            DAY: days,
            "carrier": random.choice(["UA", "B6", "WN"], len(days)),
            "distance": random.integers(90, 4000, len(days)),
            "late": (random.random(len(days)) < chance).astype(float),
        }
    )
