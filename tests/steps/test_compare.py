"""What the gate makes of planted differences, row by row."""

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest

from airloom.core.errors import DataError
from airloom.core.gate import decide
from airloom.core.records import Evaluation
from airloom.core.rules import Gate, Slices
from airloom.core.verdict import Case, Judged, Proof
from airloom.steps.compare import compare
from airloom.steps.evaluate import score_metrics
from airloom.steps.examples import DAY
from tests.worlds.installation import settings_at
from tests.worlds.nights import pipeline_with

NIGHT = date(2024, 1, 10)
GATE = Gate(
    metric="roc_auc", cluster="row", baseline="none", slices=Slices(by=("carrier",), max_regression=0.05, min_rows=200)
)


def pipeline(gate=GATE):
    return pipeline_with().model_copy(update={"gate": gate})


def results(seed, rows=900, noise=0.3):
    """Rows of three carriers whose truth is known, and a champion that sees it through noise."""
    random = np.random.default_rng(seed)
    chance = random.beta(2, 4, rows)
    return random, pd.DataFrame(
        {
            "late": (random.random(rows) < chance).astype(float),
            "carrier": np.resize(["UA", "B6", None], rows),
            "truth": chance,
            "champion": seen(random, chance, noise),
        }
    )


def seen(random, chance, noise):
    return np.clip(chance + random.normal(0, noise, len(chance)), 0.001, 0.999)


def evaluation(rows, settings, version=2, **changes):
    settings.training.mkdir(parents=True, exist_ok=True)
    rows.to_parquet(settings.training / "results.parquet")
    label = rows["late"].to_numpy()
    values = {
        "pipeline": "late",
        "partition": NIGHT,
        "headline": "planted",
        "challenger": "boosting",
        "challenger_version": version,
        "champion_version": 1,
        "training_digest": "t",
        "rows_digest": "r",
        "rows": len(rows),
        "metrics": {
            "boosting": score_metrics("binary", label, rows["challenger"].to_numpy()),
            "champion": score_metrics("binary", label, rows["champion"].to_numpy()),
        },
        "results": "results.parquet",
    }
    return Evaluation(**{**values, **changes})


def outcome(rows, settings, version=2, gate=GATE):
    judged = evaluation(rows, settings, version)
    sides = {
        name: Judged(version=number, as_of=NIGHT, rows=len(rows), rows_digest="r", metrics=judged.metrics[of])
        for name, number, of in (("challenger", version, "boosting"), ("champion", 1, "champion"))
    }
    case = Case(
        pipeline="late",
        partition=NIGHT,
        head=None,
        proof=Proof(version=version),
        training_digest="t",
        pipeline_digest="d",
        comparison=compare(pipeline(gate), judged, settings),
        **sides,
    )
    return decide(case, gate).outcome


@pytest.fixture
def settings(tmp_path):
    return settings_at(tmp_path)


OVERALL = GATE.model_copy(update={"slices": None})


def test_noise_around_zero_is_a_tie(settings):
    outcomes = []
    for seed in range(100):
        random, rows = results(seed)
        challenger = seen(random, rows["truth"].to_numpy(), 0.3)
        outcomes.append(outcome(rows.assign(challenger=challenger), settings, seed + 2, OVERALL))
    assert outcomes.count("tie") >= 95


def test_a_truly_better_model_is_accepted(settings):
    outcomes = []
    for seed in range(100):
        _, rows = results(seed)
        outcomes.append(outcome(rows.assign(challenger=rows["truth"]), settings, seed + 2, OVERALL))
    assert outcomes.count("better") >= 95


def test_a_model_that_is_better_overall_and_worse_on_one_slice_is_refused(settings):
    random, rows = results(1, rows=3000)
    worse = rows["carrier"] == "B6"
    challenger = rows["truth"].where(~worse, seen(random, rows["truth"].to_numpy(), 0.6))
    assert outcome(rows.assign(challenger=challenger), settings, gate=OVERALL) == "better"
    assert outcome(rows.assign(challenger=challenger), settings) == "rejected"


def test_slices_are_compared_by_value_and_small_ones_are_only_counted(settings):
    _, rows = results(1, rows=700)
    rows = rows.assign(challenger=rows["truth"]).drop(index=range(0, 200, 3))
    found = compare(pipeline(), evaluation(rows, settings), settings)
    assert [(each.column, each.value, each.rows, each.effect is None) for each in found.slices] == [
        ("carrier", "(none)", 233, False),
        ("carrier", "B6", 233, False),
        ("carrier", "UA", 167, True),
    ]


def test_the_same_evaluation_is_compared_the_same(settings):
    random, rows = results(1)
    judged = evaluation(rows.assign(challenger=seen(random, rows["truth"].to_numpy(), 0.1)), settings)
    assert compare(pipeline(), judged, settings) == compare(pipeline(), judged, settings)


def test_a_metric_that_is_better_when_lower_has_a_gain_when_it_falls(settings):
    _, rows = results(1)
    gate = Gate(metric="expected_calibration_error", cluster="row")
    effect = compare(pipeline(gate), evaluation(rows.assign(challenger=rows["truth"]), settings), settings).effect
    assert effect.challenger < effect.champion
    assert 0 < effect.lower < effect.gain < effect.upper


def test_without_a_champion_that_could_be_scored_there_is_nothing_to_compare(settings):
    _, rows = results(1)
    rows = rows.assign(challenger=rows["truth"])
    assert compare(pipeline(), evaluation(rows, settings, champion_version=None), settings) is None
    unscored = {"boosting": {"roc_auc": 0.7}, "champion": {"roc_auc": None}}
    assert compare(pipeline(), evaluation(rows, settings, metrics=unscored), settings) is None


def test_results_that_are_gone_are_an_error(settings):
    _, rows = results(1)
    judged = evaluation(rows.assign(challenger=rows["truth"]), settings, results="gone.parquet")
    with pytest.raises(DataError, match="not there any more"):
        compare(pipeline(), judged, settings)


def test_guardrails_are_compared_in_their_own_metric(settings):
    _, rows = results(1)
    gate = Gate(metric="roc_auc", cluster="row", guardrails={"neg_brier_score": 0.01, "accuracy": 0.0})
    found = compare(pipeline(gate), evaluation(rows.assign(challenger=rows["truth"]), settings), settings)
    assert [effect.metric for effect in found.guardrails] == ["neg_brier_score", "accuracy"]
    assert all(effect.gain > 0 for effect in found.guardrails)


def test_f24_a_model_that_ranks_better_and_is_badly_calibrated_is_refused(settings):
    _, rows = results(1, rows=3000)
    rows = rows.assign(challenger=rows["truth"] ** 4)
    assert outcome(rows, settings, gate=OVERALL) == "better"
    guarded = OVERALL.model_copy(update={"guardrails": {"neg_brier_score": 0.001}})
    assert outcome(rows, settings, gate=guarded) == "rejected"


def days_of_their_own(seed, gain):
    """Rows of 14 days that a champion tells apart wrongly; within each day the challenger is a little better."""
    random, days, rows = np.random.default_rng(seed), 14, 150
    day = np.repeat(np.arange(days), rows)
    own = random.normal(0, 1, len(day))
    label = random.random(len(day)) < 1 / (1 + np.exp(1 - 1.5 * own - random.normal(0, 1, days)[day]))
    sides = {
        name: own + random.normal(0, noise, len(day)) for name, noise in (("challenger", 1), ("champion", 1 + gain))
    }
    shifted = {name: side + random.normal(0, 1.5, days)[day] for name, side in sides.items()}
    scores = {name: 1 / (1 + np.exp(-side)) for name, side in shifted.items()}
    night = [NIGHT - timedelta(days=int(each)) for each in day]
    return pd.DataFrame({"late": label.astype(float), "carrier": "UA", DAY: night, **scores})


def test_within_days_a_gain_is_shown_that_the_differences_between_days_hide(settings):
    by_day = GATE.model_copy(update={"cluster": ("day",), "slices": None})
    rows = days_of_their_own(5, gain=1)
    within = by_day.model_copy(update={"within": "day"})
    assert outcome(rows, settings, gate=by_day) == "tie"
    assert outcome(rows, settings, gate=within) == "better"
    effect = compare(pipeline(within), evaluation(rows, settings), settings).effect
    assert effect.within == "day"
    assert effect.challenger - effect.champion == pytest.approx(effect.gain)


def test_within_days_models_that_are_equally_good_are_a_tie(settings):
    gate = GATE.model_copy(update={"cluster": ("day",), "slices": None, "within": "day"})
    outcomes = [outcome(days_of_their_own(seed, gain=0), settings, gate=gate) for seed in range(20)]
    assert outcomes.count("tie") >= 18


def test_what_a_gate_did_not_have_before_changes_no_fingerprint():
    assert "within" not in GATE.model_dump()
    assert "within" in GATE.model_copy(update={"within": "day"}).model_dump()
