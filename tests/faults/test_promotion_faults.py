"""Faults around the moment at which a champion is moved, by their numbers."""

import shutil
from collections import Counter

import pytest

from airloom.core.records import Decided, Evaluation, TrainingSet
from airloom.steps.apply import apply
from airloom.steps.decide import decide
from airloom.steps.evaluate import evaluate
from airloom.steps.fit import fit
from airloom.steps.prove import prove
from airloom.steps.reconcile import reconcile
from airloom.stores.ledger import Ledger
from airloom.stores.models import ModelRegistry
from airloom.stores.pins import Pins
from airloom.stores.tracking import open_client
from tests.faults.invariants import check_invariants, end_state, observe
from tests.faults.scenario import CANDIDATES, PIPELINE, Tasks, act, live, night_pipeline, train
from tests.worlds.processes import ENDS, ended, go_on, run, start, wait_until_stopped

FIRST, SECOND = CANDIDATES
#: How many tasks come before these.
EVALUATE_FIRST, FIT_SECOND, APPLY_SECOND, ROLLBACK = 1, 5, 9, 10


def another_verdict(settings):
    """Let another challenger of the second night win against the same champion."""
    pipeline = night_pipeline(SECOND)
    half = pipeline.train.candidates["only"].model_copy(update={"params": {"share": 0.5}})
    other = pipeline.model_copy(update={"train": pipeline.train.model_copy(update={"candidates": {"only": half}})})
    training = TrainingSet.model_validate_json((settings.training / f"{SECOND}.json").read_text())
    fitted = fit(other, SECOND, "only", training, settings)
    evaluation = evaluate(other, SECOND, training, [fitted], 1, settings)
    decided = decide(other, SECOND, evaluation, prove(other, SECOND, evaluation, settings), settings)
    assert (decided.outcome, evaluation.challenger_version) == ("better", 3)
    return decided.verdict


def verdict_of(settings, night):
    return Decided.model_validate_json((settings.var / "records" / f"{night}.decide.json").read_text()).verdict


def apply_verdict(settings, verdict):
    apply(night_pipeline(SECOND), SECOND, verdict, settings, "late.train")


def promote_another(settings):
    """Make another version of the first night's kind champion, as a person does, after the second night was judged."""
    pipeline = night_pipeline(FIRST)
    training = TrainingSet.model_validate_json((settings.training / f"{SECOND}.json").read_text())
    evaluation = evaluate(pipeline, SECOND, training, [fit(pipeline, SECOND, "only", training, settings)], 1, settings)
    facts = {"version": evaluation.challenger_version, "verdict": None, "actor": "ann", "reason": "promote: for a test"}
    Ledger(settings.state_url).promote(PIPELINE, expected_epoch=1, effective_from=FIRST, **facts)
    align(settings)


def apply_with_evaluation(settings):
    """Apply the second night's verdict as its task does, which may judge again."""
    record = (settings.var / "records" / f"{SECOND}.evaluate.json").read_text()
    evaluation = Evaluation.model_validate_json(record)
    apply(night_pipeline(SECOND), SECOND, verdict_of(settings, SECOND), settings, "late.train", None, evaluation)


def outcomes(settings):
    return [verdict.outcome for verdict in Ledger(settings.state_url).verdicts(PIPELINE)]


def train_night(settings, night):
    train(Tasks(settings.var / "records"), night, settings)


def roll_back(settings):
    act(Tasks(settings.var / "records"), "rollback", settings)


def pin(settings):
    act(Tasks(settings.var / "records"), "pin", settings)


def set_alias(settings, version):
    ModelRegistry(settings, PIPELINE).set_alias("champion", version)


def align(settings):
    reconcile(night_pipeline(SECOND), settings)


def reconcile_adopting(settings):
    """Reconcile as a pipeline does that adopts what people do in MLflow."""
    pipeline = night_pipeline(SECOND)
    promotion = pipeline.promotion.model_copy(update={"alias_drift": "adopt"})
    reconcile(pipeline.model_copy(update={"promotion": promotion}), settings)


def versions(settings):
    return sorted(int(each.version) for each in open_client(settings).search_model_versions(f"name = '{PIPELINE}'"))


def champions(settings):
    return [row.version for row in Ledger(settings.state_url).history(PIPELINE)]


def test_f6_two_promotions_race_and_exactly_one_wins(world):
    world.bring_back(APPLY_SECOND)
    verdicts = verdict_of(world.settings, SECOND), another_verdict(world.settings)
    racers = [start(apply_verdict, world.settings, each, failpoint="promote.before_row:stop") for each in verdicts]
    for racer in racers:
        wait_until_stopped(racer)
    for racer in racers:
        go_on(racer)
    assert [ended(racer) for racer in racers] == [0, 0]
    now = check_invariants(world.settings, world.seen(APPLY_SECOND))
    assert [row.version for row in now.history] in ([1, 2], [1, 3])
    assert now.history[-1].verdict in verdicts


def test_f6_a_pin_that_is_set_while_a_promotion_is_under_way_holds_the_champion(world):
    world.bring_back(APPLY_SECOND)
    verdict = verdict_of(world.settings, SECOND)
    asleep = start(apply_verdict, world.settings, verdict, failpoint="promote.before_row:stop")
    wait_until_stopped(asleep)
    assert run(pin, world.settings) == 0
    go_on(asleep)
    assert ended(asleep) == 0
    now = check_invariants(world.settings, world.seen(APPLY_SECOND))
    assert ([row.version for row in now.history], now.alias) == ([1], 1)
    assert Pins(world.settings.state_url).current(PIPELINE)


@pytest.mark.long
def test_f6_a_death_while_a_verdict_that_came_too_late_is_judged_again_changes_nothing(world, tmp_path):
    world.bring_back(APPLY_SECOND)
    assert run(promote_another, world.settings) == 0
    moved = tmp_path / "moved"
    shutil.copytree(world.now, moved)
    passed = tmp_path / "passed"
    assert run(apply_with_evaluation, world.settings, listed=passed) == 0
    expected = end_state(world.settings)
    assert (champions(world.settings), outcomes(world.settings)) == ([1, 3, 2], ["first", "better", "better"])
    for point, times in Counter(passed.read_text().split()).items():
        shutil.rmtree(world.now)
        shutil.copytree(moved, world.now)
        assert run(apply_with_evaluation, world.settings, failpoint=f"{point}#{times}:kill") == ENDS["kill"]
        assert run(apply_with_evaluation, world.settings) == 0
        check_invariants(world.settings)
        assert (point, end_state(world.settings)) == (point, expected)


def test_f8_a_version_that_was_registered_before_a_crash_is_found_again(world):
    world.bring_back(EVALUATE_FIRST)
    assert run(live, world.settings, failpoint="register.after_version:kill") == ENDS["kill"]
    assert versions(world.settings) == [1]
    assert run(train_night, world.settings, FIRST) == 0
    check_invariants(world.settings)
    assert versions(world.settings) == [1]
    assert champions(world.settings) == [1]


def test_f9_a_crash_between_ledger_and_alias_is_repaired_by_whatever_is_applied_next(world):
    world.bring_back(APPLY_SECOND)
    assert run(live, world.settings, failpoint="apply.after_ledger:kill") == ENDS["kill"]
    assert (champions(world.settings), observe(world.settings).alias) == ([1, 2], 1)
    assert run(align, world.settings) == 0
    assert check_invariants(world.settings, world.seen(APPLY_SECOND)).alias == 2


def test_f9_an_alias_that_is_ahead_of_the_ledger_is_taken_back(world):
    world.bring_back(APPLY_SECOND)
    assert run(set_alias, world.settings, 2) == 0
    assert run(align, world.settings) == 0
    assert check_invariants(world.settings).alias == 1
    assert champions(world.settings) == [1]


def test_f9_two_crashes_in_a_row_are_not_taken_for_a_move_by_hand(world):
    world.bring_back(APPLY_SECOND)
    assert run(live, world.settings, failpoint="alias.after:kill") == ENDS["kill"]
    assert run(train_night, world.settings, SECOND) == 0
    assert run(live, world.settings, failpoint="apply_choice.after_ledger:kill") == ENDS["kill"]
    assert (champions(world.settings), observe(world.settings).alias) == ([1, 2, 1], 2)
    assert run(reconcile_adopting, world.settings) == 0
    assert champions(world.settings) == [1, 2, 1]
    assert check_invariants(world.settings, world.seen(APPLY_SECOND)).alias == 1


def test_f17_the_same_partition_again_returns_the_first_result(world):
    world.bring_back(ROLLBACK)
    records, before = world.settings.var / "records", end_state(world.settings)
    first = {file.name: file.read_text() for file in records.glob(f"{SECOND}.decide.json")}
    shutil.rmtree(records)
    assert run(train_night, world.settings, SECOND) == 0
    assert {file.name: file.read_text() for file in records.glob(f"{SECOND}.decide.json")} == first
    assert end_state(world.settings) == before


def test_f18_an_attempt_that_wakes_after_its_successor_has_finished_adds_nothing(world):
    world.bring_back(APPLY_SECOND)
    verdict = verdict_of(world.settings, SECOND)
    asleep = start(apply_verdict, world.settings, verdict, failpoint="promote.before_row:stop")
    wait_until_stopped(asleep)
    assert run(train_night, world.settings, SECOND) == 0
    finished = end_state(world.settings)
    go_on(asleep)
    assert ended(asleep) == 0
    assert end_state(world.settings) == finished
    check_invariants(world.settings, world.seen(APPLY_SECOND))


def test_f18_an_attempt_that_wakes_before_its_alias_does_not_set_it_to_a_champion_that_is_none_any_more(world):
    world.bring_back(APPLY_SECOND)
    asleep = start(
        apply_verdict, world.settings, verdict_of(world.settings, SECOND), failpoint="apply.after_ledger:stop"
    )
    wait_until_stopped(asleep)
    assert run(train_night, world.settings, SECOND) == 0
    assert run(roll_back, world.settings) == 0
    go_on(asleep)
    assert ended(asleep) == 0
    assert champions(world.settings) == [1, 2, 1]
    check_invariants(world.settings, world.seen(APPLY_SECOND))


def test_f29_a_champion_whose_stored_metric_is_a_lie_is_judged_by_its_rows(world):
    world.bring_back(FIT_SECOND)
    champion = ModelRegistry(world.settings, PIPELINE).version_info(1)
    open_client(world.settings).log_metric(champion.run_id, "holdout.roc_auc", 0.99)
    assert run(train_night, world.settings, SECOND) == 0
    verdict = Ledger(world.settings.state_url).verdict(verdict_of(world.settings, SECOND))
    assert (verdict.outcome, verdict.champion.metrics["roc_auc"]) == ("better", 0.5)
    assert champions(world.settings) == [1, 2]


@pytest.mark.parametrize("action", ["terminate", "kill"])
@pytest.mark.parametrize(
    ("place", "there"),
    [
        ("promote.before_commit", [1]),
        ("promote.after_commit", [1, 2]),
        ("alias.before", [1, 2]),
        ("alias.after", [1, 2]),
    ],
)
def test_f38_a_promotion_that_is_ended_leaves_the_old_or_the_new_champion(world, place, there, action):
    world.bring_back(APPLY_SECOND)
    assert run(live, world.settings, failpoint=f"{place}:{action}") == ENDS[action]
    now = check_invariants(world.settings, world.seen(APPLY_SECOND), recovered=False)
    assert [row.version for row in now.history] == there
    assert now.alias in (1, 2)
    assert run(train_night, world.settings, SECOND) == 0
    assert check_invariants(world.settings, now).alias == 2
