"""From source to prediction: kinds of labels, libraries of models, kinds of keys and databases, in pairs."""

import dataclasses
import importlib
import uuid
from datetime import timedelta

import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from airloom.core.partitions import day_range
from airloom.launcher.features import apply_pipeline
from airloom.steps.compute import compute
from airloom.steps.materialize import materialize
from airloom.steps.score import score
from airloom.stores.lake import Lake
from airloom.stores.ledger import Ledger
from airloom.stores.state_schema import upgrade_state
from tests.worlds.installation import project_at
from tests.worlds.machines import Form
from tests.worlds.plain_steps import ingest, train

#: Every kind with every model; every key and database with each of both.
FORMS = [
    (Form("binary", "linear", "several"), "sqlite"),
    (Form("multiclass", "light_trees", "text"), "postgresql"),
    (Form("regression", "forest", "number"), "sqlite"),
    (Form("binary", "network", "number"), "postgresql"),
    (Form("binary", "forest", "text"), "postgresql"),
    (Form("binary", "light_trees", "number"), "sqlite"),
    (Form("binary", "trees", "several"), "postgresql"),
    (Form("multiclass", "linear", "number"), "postgresql"),
    (Form("multiclass", "forest", "several"), "sqlite"),
    (Form("multiclass", "trees", "text"), "sqlite"),
    (Form("multiclass", "network", "several"), "sqlite"),
    (Form("regression", "linear", "text"), "sqlite"),
    (Form("regression", "light_trees", "several"), "postgresql"),
    (Form("regression", "trees", "number"), "sqlite"),
    (Form("regression", "network", "text"), "sqlite"),
    (Form("regression", "linear", "number"), "postgresql"),
]
SHORT = 4


#: How well a model that has learned anything tells the machines apart; by chance it would be 0.5, a third, or 0.
SKILLS = {
    "binary": lambda rows: roc_auc_score(rows["fails"] == "fails", rows["airloom_score"]),
    "multiclass": lambda rows: (rows["state"] == rows["airloom_predicted"]).mean(),
    "regression": lambda rows: rows["hours_left"].corr(rows["airloom_score"]),
}


def case(number, form, database):
    marks = [pytest.mark.long] if number >= SHORT else []
    return pytest.param(form, database, marks=marks, id=f"{form.kind}-{form.model}-{form.key}-{database}")


@pytest.fixture
def settings(tmp_path, request):
    """An installation whose state, online store and copies of predictions are in the same kind of database."""
    if request.getfixturevalue("database") == "sqlite":
        return project_at(tmp_path)
    url = request.getfixturevalue("postgres").create(f"machines_{uuid.uuid4().hex}")
    upgrade_state(url)
    return dataclasses.replace(project_at(tmp_path), state_url=url, online_url=url, predictions_url=url)


@pytest.mark.usefixtures("own_include")
@pytest.mark.parametrize(("form", "database"), [case(number, *each) for number, each in enumerate(FORMS)])
def test_a_pipeline_that_nothing_was_made_for_goes_from_source_to_prediction(form, database, settings):
    pipeline = form.write(settings.project)
    apply_pipeline(settings, pipeline)
    nights = day_range(pipeline.schedule.start, pipeline.schedule.start + timedelta(days=4))
    for night in nights:
        ingest(pipeline, night, settings)
        compute(pipeline, night, settings)
        materialize(pipeline, night, settings)
        if night >= nights[3]:
            train(pipeline, night, settings)
            score(pipeline, night, settings, f"the run of {night}")

    rows = Lake(settings.lake / pipeline.name).read("predictions", nights[3:])
    source = importlib.import_module("include.machines.source")
    readings = pd.concat([getattr(source, f"by_{form.key}")(night)["readings"] for night in nights[3:]])
    judged = rows.merge(readings, on=list(pipeline.tables["readings"].key), validate="one_to_one")
    assert len(judged) == len(rows) == len(readings)
    assert SKILLS[form.kind](judged) > 0.6
    assert Ledger(settings.state_url).champion_as_of(pipeline.name, nights[4]) is not None
