"""What is laid before the gate, and what is kept of its verdict."""

import sqlite3
from contextlib import closing
from datetime import timedelta

import pytest

from airloom.core.records import Evaluation, Leak, Proven
from airloom.core.report import markdown
from airloom.core.verdict import Proof
from airloom.steps.decide import decide
from airloom.stores.ledger import Ledger
from airloom.stores.tracking import open_client
from tests.worlds import registered
from tests.worlds.nights import NIGHT, pipeline_with

PIPELINE = pipeline_with()
TONIGHT, ROLLED_BACK_ON = NIGHT + timedelta(days=5), NIGHT + timedelta(days=3)


@pytest.fixture
def settings(registry_settings):
    """Version 1, trained as of NIGHT, has come back by a rollback days later."""
    ledger = Ledger(registry_settings.state_url)
    for epoch, (version, day) in enumerate([(1, NIGHT), (2, NIGHT + timedelta(days=1)), (1, ROLLED_BACK_ON)]):
        why = {"verdict": None, "actor": "ann", "reason": "rollback: it was wrong"}
        ledger.promote("late", expected_epoch=epoch, effective_from=day, version=version, **why)
    return registry_settings


def judge(settings, challenger=3, leaks=()):
    facts = {"pipeline": "late", "partition": TONIGHT, "headline": "planted"}
    evaluation = Evaluation(
        challenger="rate",
        challenger_version=challenger,
        champion_version=1,
        training_digest="t",
        rows_digest="r",
        rows=5000,
        metrics={"rate": {"roc_auc": 0.8}, "champion": {"roc_auc": None}},
        leaks=leaks,
        **facts,
    )
    decided = decide(PIPELINE, TONIGHT, evaluation, Proven(proof=Proof(version=challenger), **facts), settings)
    return Ledger(settings.state_url).verdict(decided.verdict)


def test_a_champion_that_came_back_is_shown_with_the_night_of_its_training(settings):
    verdict = judge(settings)
    assert (verdict.champion.as_of, verdict.head.as_of) == (NIGHT, ROLLED_BACK_ON)
    assert f"not before the champion's {ROLLED_BACK_ON}" in [check.expected for check in verdict.checks]


def test_f26_a_champion_whose_version_was_deleted_is_shown_with_the_night_from_which_it_is_effective(settings):
    registered.delete(settings, 1)
    verdict = judge(settings)
    assert (verdict.champion.version, verdict.champion.as_of, verdict.outcome) == (1, ROLLED_BACK_ON, "incomparable")


def test_a_column_that_seems_to_know_the_label_is_a_warning_of_the_verdict(settings):
    leaks = (Leak(column="status", sign="separation", value=0.991), Leak(column="age", sign="missingness", value=2e-9))
    verdict = judge(settings, leaks=leaks)
    separates, missing = verdict.warnings
    assert separates == "status separates the label by itself (above 0.991)"
    assert missing == "the label differs where age is missing (p = 2e-09)"
    assert f"**Warning:** {separates}." in markdown(verdict)


def test_a_night_that_was_judged_before_writes_nothing_at_all(settings):
    def writes():
        return state.execute("PRAGMA data_version").fetchone()

    judge(settings)
    with closing(sqlite3.connect(settings.state_url.removeprefix("sqlite:///"))) as state:
        before = writes()
        judge(settings)
        assert writes() == before


def test_what_a_crash_has_left_unwritten_of_a_verdict_is_written_when_the_night_runs_again(settings):
    verdict, client = judge(settings), open_client(settings)
    kept = client.get_model_version("late", "3")
    client.delete_model_version_tag("late", "3", "airloom.outcome")
    client.update_model_version("late", "3", "")
    assert judge(settings) == verdict
    healed = client.get_model_version("late", "3")
    assert (healed.tags, healed.description) == (kept.tags, kept.description)
    assert healed.tags["airloom.verdict"] == verdict.id
