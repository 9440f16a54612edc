"""A night's training, judgement and prediction for labels that are classes and for labels that are numbers."""

from datetime import timedelta

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics

from airloom.core.errors import DataError
from airloom.core.pipeline import Label, Pipeline
from airloom.steps import predict as predicting
from airloom.steps.apply import apply
from airloom.steps.decide import decide
from airloom.steps.evaluate import evaluate
from airloom.steps.fit import fit
from airloom.steps.outputs import from_columns, require_outputs, to_columns
from airloom.steps.predict import predict
from airloom.steps.prove import prove
from airloom.stores.ledger import Ledger
from airloom.stores.models import ModelRegistry
from airloom.stores.tracking import open_client
from tests.worlds.installation import settings_at
from tests.worlds.nights import COLUMNS, NIGHT, declaration_with, example_rows, training_set

LATER = NIGHT + timedelta(days=1)
CLASSES = ("near", "middle", "far")
KINDS = {
    "binary": {
        "label": {"kind": "binary"},
        "gate": {"metric": "roc_auc", "guardrails": {"accuracy": 0.1}, "floors": {"roc_auc": 0.5}},
        "fit": "tests.worlds.candidates:by_rate",
    },
    "multiclass": {
        "label": {"kind": "multiclass", "classes": CLASSES},
        "gate": {"metric": "neg_log_loss", "guardrails": {"accuracy": 0.1}, "floors": {"roc_auc_ovr": 0.2}},
        "fit": "tests.worlds.candidates:classes_by_distance",
    },
    "regression": {
        "label": {"kind": "regression"},
        "gate": {
            "metric": "neg_mean_absolute_error",
            "guardrails": {"r2": 0.1},
            "floors": {"neg_mean_absolute_error": -5000},
        },
        "fit": "tests.worlds.candidates:by_distance",
    },
}


def pipeline_of(kind, share):
    facts = KINDS[kind]
    declared = declaration_with(distance={"fit": facts["fit"], "params": {"share": share}})
    declared["label"] |= facts["label"]
    return Pipeline.model_validate({**declared, "gate": {**facts["gate"], "cluster": "row"}})


def rows_of(kind, night):
    rows = example_rows(night=night)
    if kind == "binary":
        return rows
    far = rows["distance"] + np.random.default_rng(3).normal(0, 300, len(rows))
    return rows.assign(late=pd.cut(far, [-1e9, 1300, 1500, 1e9], labels=False) if kind == "multiclass" else far * 1.0)


def night(kind, share, day, settings):
    """Train, judge and apply; return the evaluation, the verdict and what was applied."""
    pipeline = pipeline_of(kind, share)
    training = training_set(pipeline, settings, rows_of(kind, day), day)
    fitted = [fit(pipeline, day, "distance", training, settings)]
    champion = Ledger(settings.state_url).champion_as_of("late", day)
    evaluation = evaluate(pipeline, day, training, fitted, champion.version if champion else None, settings)
    decided = decide(pipeline, day, evaluation, prove(pipeline, day, evaluation, settings), settings)
    return evaluation, decided, apply(pipeline, day, decided.verdict, settings, "test")


#: A share that makes a model worse than predicting the average for every row, and what it is told.
NO_SKILL = {
    "binary": (0.05, "skill neg_log_loss ranks well, not calibrated: -"),
    "multiclass": (0.3, "skill neg_log_loss -"),
    "regression": (0.3, "skill neg_mean_absolute_error -"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_best_candidate_is_refused_in_words_where_it_is_worse_than_a_baseline(kind, tmp_path):
    share, told = NO_SKILL[kind]
    evaluation, refused, applied = night(kind, share, NIGHT, settings_at(tmp_path))
    assert (refused.outcome, applied.champion_version) == ("rejected", None)
    verdict = Ledger(settings_at(tmp_path).state_url).verdict(refused.verdict)
    assert told in verdict.reasons
    assert "better than constant at 98%" in verdict.reasons
    assert verdict.baselines.keys() == {"constant", "linear"}
    assert verdict.baselines == evaluation.baselines


@pytest.mark.parametrize("kind", KINDS)
def test_the_baselines_are_in_the_run_of_every_candidate(kind, tmp_path):
    settings = settings_at(tmp_path)
    evaluation, _, _ = night(kind, 0.9, NIGHT, settings)
    version = ModelRegistry(settings, "late").version_info(evaluation.challenger_version)
    logged = open_client(settings).get_run(version.run_id).data.metrics
    for name, found in evaluation.baselines.items():
        assert {metric: logged[f"baseline.{name}.{metric}"] for metric in found} == pytest.approx(found)


@pytest.mark.parametrize("kind", KINDS)
def test_a_candidate_that_is_better_than_a_baseline_is_promoted(kind, tmp_path):
    assert night(kind, 0.9, NIGHT, settings_at(tmp_path))[2].champion_version == 1


#: The kinds whose candidates can be more than right by a scale.
GRADED = ("multiclass", "regression")


@pytest.mark.parametrize("kind", GRADED)
def test_a_better_model_replaces_the_first_one(kind, tmp_path):
    settings = settings_at(tmp_path)
    _, first, _ = night(kind, 0.9, NIGHT, settings)
    evaluation, second, applied = night(kind, 1.0, LATER, settings)
    assert (first.outcome, second.outcome, applied.champion_version) == ("first", "better", 2)
    holdout = rows_of(kind, LATER).query("airloom_split == 'holdout'")
    results = pd.read_parquet(settings.training / evaluation.results)
    outputs = from_columns(pipeline_of(kind, 1.0).label, "challenger", results)
    assert len(outputs) == len(holdout)
    expected = {
        "multiclass": lambda: -metrics.log_loss(holdout["late"], outputs, labels=[0, 1, 2]),
        "regression": lambda: -metrics.mean_absolute_error(holdout["late"], outputs),
    }[kind]()
    metric = KINDS[kind]["gate"]["metric"]
    assert evaluation.metrics["distance"][metric] == pytest.approx(expected)
    verdict = Ledger(settings.state_url).verdict(second.verdict)
    [guardrail] = KINDS[kind]["gate"]["guardrails"]
    assert f"guardrail {guardrail}" in [check.rule for check in verdict.checks]


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_model_again_is_a_tie(kind, tmp_path):
    settings = settings_at(tmp_path)
    night(kind, 1.0, NIGHT, settings)
    assert night(kind, 1.0, LATER, settings)[1].outcome == "tie"


@pytest.mark.parametrize("kind", GRADED)
def test_predictions_have_the_columns_of_their_kind(kind, tmp_path, monkeypatch):
    settings, pipeline = settings_at(tmp_path), pipeline_of(kind, 1.0)
    night(kind, 1.0, NIGHT, settings)
    monkeypatch.setattr(predicting, "input_columns", lambda pipeline, settings: COLUMNS.all)
    rows = example_rows().head(4).assign(scheduled_at=pd.Timestamp("2024-01-11", tz="UTC"))
    found = predict(pipeline, rows, {"": 1, "current_": None}, settings)
    assert set(found["airloom_model_version"]) == {1}
    assert found["airloom_current_model_version"].isna().all()
    if kind == "regression":
        np.testing.assert_array_equal(found["airloom_score"], rows["distance"])
        assert found["airloom_current_score"].isna().all()
    else:
        scores = found.loc[0, [f"airloom_score_{name}" for name in CLASSES]].astype(float)
        assert found.loc[0, "airloom_predicted"] == scores.idxmax().removeprefix("airloom_score_")
        assert found["airloom_current_predicted"].isna().all()


MULTICLASS = Label(table="t", column="c", horizon="1d", kind="multiclass", classes=CLASSES)
REGRESSION = Label(table="t", column="c", horizon="1d", kind="regression")
BINARY = Label(table="t", column="c", horizon="1d")


@pytest.mark.parametrize(
    ("label", "outputs", "message"),
    [
        (BINARY, np.array([0.5, 1.1]), "not probabilities"),
        (BINARY, np.array([0.5, np.nan]), "not probabilities"),
        (BINARY, np.array([[0.5, 0.5], [0.5, 0.5]]), "not probabilities"),
        (MULTICLASS, np.array([[0.5, 0.5], [0.5, 0.5]]), "not probabilities of the declared classes"),
        (MULTICLASS, np.array([[0.5, 0.5, 0.5], [0.2, 0.3, 0.5]]), "not probabilities of the declared classes"),
        (REGRESSION, np.array([1.0, np.inf]), "not numbers"),
    ],
)
def test_a_candidate_that_predicts_something_else_is_refused(label, outputs, message):
    with pytest.raises(DataError, match=message):
        require_outputs(label, outputs, 2, "wild")


def test_outputs_are_kept_by_class_and_read_back():
    outputs = np.array([[0.1, 0.2, 0.7], [0.3, 0.3, 0.4]])
    require_outputs(MULTICLASS, outputs, 2, "mild")
    kept = pd.DataFrame(to_columns(MULTICLASS, "champion", outputs))
    assert list(kept) == ["champion_near", "champion_middle", "champion_far"]
    np.testing.assert_array_equal(from_columns(MULTICLASS, "champion", kept), outputs)
