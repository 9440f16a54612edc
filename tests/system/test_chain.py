"""The chain through the real scheduler, on real days, in one installation; the tests build on each other in order."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import date

import pytest

from airloom.stores.quarantine import Quarantine
from tests.installed import require
from tests.system.approval import Approval
from tests.system.browser import CHROMIUM, TriggerForm, answer, expect, signed_in
from tests.system.installation import LAST, PIPELINE, day, wait_until

pytestmark = [pytest.mark.system, pytest.mark.timeout(1800)]


@pytest.fixture(scope="module", autouse=True)
def _remember(in_parallel):
    """Keep the state before any test changes it."""


def test_every_stage_ran_for_every_day(installation):
    for stage in ("ingest", "features", "train", "score"):
        assert set(installation.runs(stage).values()) == {"success"}
        assert len(installation.runs(stage)) == 6


def test_every_day_is_published_and_scored_once_there_is_a_champion(installation):
    lake = installation.lake()
    assert list(lake["raw.flights"]) == [day(number) for number in range(1, 7)]
    assert list(lake["features.carrier_delays"]) == [day(number) for number in range(1, 7)]
    assert list(lake["predictions"]) == [day(number) for number in range(4, 7)]
    assert installation.champions()[0] == (day(4), 1)


def test_a_window_that_is_not_complete_ends_the_training_as_skipped(installation):
    assert set(installation.tasks("train", "2013-01-03").values()) == {"skipped"}
    assert "there are 2 of 3 days since the start" in installation.log("train", "await_inputs", "2013-01-03")
    assert installation.tasks("train", "2013-01-04")["apply"] == "success"


def test_airflow_finds_nothing_to_complain_about(installation):
    assert "No data found" in installation.airflow("dags", "list-import-errors").stdout
    plugins = installation.airflow("plugins")
    assert plugins.returncode == 0
    assert "airloom" in plugins.stdout


def test_every_publishing_task_names_what_it_read_and_wrote(installation):
    completed = [event for event in installation.events() if event["eventType"] == "COMPLETE"]
    written = {output["name"] for event in completed for output in event.get("outputs", [])}
    assert {f"{PIPELINE}/raw.flights", f"{PIPELINE}/features.plane", f"{PIPELINE}/predictions"} <= written


def test_status_tells_how_far_each_stage_is(installation):
    told = installation.airloom("status", "--json").stdout
    assert '"flight_delays"' in told
    assert LAST in told


def test_the_same_again_ends_in_the_same_state(installation, in_parallel):
    installation.backfill("--reprocess", "completed")
    assert installation.state() == in_parallel


def test_correcting_a_day_recomputes_exactly_what_used_it(installation):
    before = installation.lake()
    installation.change("2013-01-03", "fewer flights")
    stages = ("--stage", "ingest", "--stage", "features", "--stage", "score")
    installation.backfill(*stages, "--reprocess", "completed", first="2013-01-03", last="2013-01-03")
    after = installation.lake()
    changed = {
        table: [each.day for each in after[table] if after[table][each] != before[table][each]] for table in after
    }
    assert changed["raw.flights"] == [3]
    assert changed["raw.weather"] == []
    assert changed["features.carrier_delays"] == [3, 4, 5]
    assert changed["features.origin_delays"] == [3, 4]
    assert changed["features.origin_weather"] == []
    assert changed["predictions"] == [4, 5]


#: A candidate whose leaves would need more rows than there are: it learns the share of late flights and no more.
NO_SKILL = {
    "fit": f"include.{PIPELINE}.models:boosting",
    "params": {
        "max_iter": 5,
        "learning_rate": 0.1,
        "max_leaf_nodes": 15,
        "min_samples_leaf": 1_000_000,
        "l2_regularization": 5.0,
        "max_features": 0.3,
    },
}
BAD, GOOD = "2013-01-07", "2013-01-08"
CORRUPTED = {
    "2013-01-07": ("no keys", "validate", "flights of 2013-01-07 is blocked"),
    "2013-01-09": ("no rows", "extract", "The source has no rows for flights of 2013-01-09"),
    "2013-01-10": ("impossible times", "validate", "flights of 2013-01-10 is blocked"),
}


def test_corrupted_days_are_stopped_and_the_next_good_day_works(installation):
    for bad, (change, _, _) in CORRUPTED.items():
        installation.change(bad, change)
    assert installation.backfill(first=BAD, last="2013-01-10", check=False).returncode == 3
    assert {each for each, state in installation.runs("ingest").items() if state == "failed"} == set(CORRUPTED)
    for stage in ("features", "train", "score"):
        assert set(installation.runs(stage).values()) == {"success"}
    lake = installation.lake()
    assert {table for table in lake if day(7) in lake[table]} == {
        "features.carrier_delays",
        "features.origin_delays",
        "features.route_delays",
        "features.aircraft_delays",
    }
    assert lake["features.carrier_delays"][day(7)].degraded
    assert installation.tasks("score", BAD) == {"await_inputs": "success", "score": "skipped"}
    assert installation.tasks("train", GOOD)["assemble"] == "skipped"
    assert installation.tasks("score", GOOD)["score"] == "success"
    assert lake["predictions"][day(8)].degraded


@pytest.mark.parametrize("bad", CORRUPTED)
def test_the_log_says_why_a_day_was_stopped(installation, bad):
    _, task, reason = CORRUPTED[bad]
    assert reason in installation.log("ingest", task, bad)
    assert installation.tasks("ingest", bad)["publish"] == "upstream_failed"
    assert Quarantine(installation.settings.quarantine / PIPELINE).is_blocked("flights", date.fromisoformat(bad))


def test_the_corrected_day_repairs_what_was_degraded(installation):
    installation.correct(BAD)
    installation.backfill("--reprocess", "completed", first=BAD, last=GOOD)
    lake = installation.lake()
    assert not any(lake[table][each].degraded for table in lake for each in (day(7), day(8)))
    assert installation.tasks("train", GOOD)["apply"] == "success"


def test_a_person_promotes_a_version_and_rolls_it_back(installation):
    champion = installation.champions()[-1][1]
    other = next(version for version in (1, 2, 3) if version != champion)
    installation.airloom("promote", PIPELINE, str(other), "--reason", "a trial", "--rescore")
    assert installation.champions()[-1] == (day(8), other)
    assert installation.predicted_by("2013-01-08") == {other}
    installation.airloom("rollback", PIPELINE, "--reason", "the trial is over", "--rescore")
    assert installation.champions()[-1] == (day(8), champion)
    assert installation.predicted_by("2013-01-08") == {champion}
    told = json.loads(installation.airloom("ledger", PIPELINE, "--json").stdout)["champions"][-1]
    assert (told["actor"], told["reason"]) == ("admin", "rollback: the trial is over")
    installation.airloom("pin", PIPELINE, "--reason", "holidays")
    assert json.loads(installation.airloom("status", "--json").stdout)[0]["pinned"] == "by admin: holidays"
    installation.airloom("unpin", PIPELINE, "--reason", "they are over")
    refused = installation.airloom("promote", PIPELINE, str(champion), "--reason", "again", check=False)
    assert (refused.returncode, "the champion already" in refused.stderr) == (4, True)


def test_a_person_rolls_back_in_airflows_ui_and_finds_it_in_the_ledger(installation):
    require(CHROMIUM is not None, "Chromium is not installed")
    champion = installation.champions()[-1][1]
    other = next(version for version in (1, 2, 3) if version != champion)
    installation.airloom("promote", PIPELINE, str(other), "--reason", "a trial")
    with signed_in(installation.airflow_url, *installation.login()) as page:
        form = TriggerForm(page, f"{PIPELINE}.champion")
        expect(form.field("Effective from")).to_have_attribute("type", "date")
        expect(form.field("Version", "spinbutton")).to_have_value("")
        options = form.options("Action")
        expect(options).to_contain_text(["Roll back", "Promote", "Pin", "Unpin"])
        options.filter(has_text="Roll back").click()
        form.field("Reason").fill("too many false alarms")
        form.send()
        run_and_tasks = 1 + 3
        expect(page.get_by_text("Success", exact=True)).to_have_count(run_and_tasks)
    told = json.loads(installation.airloom("ledger", PIPELINE, "--json").stdout)["champions"][-1]
    assert (told["version"], told["actor"]) == (champion, "admin")
    assert told["reason"] == "rollback: too many false alarms"
    choice = f"{PIPELINE} {told['effective_from']}: roll back to version {champion}"
    assert choice in installation.log("champion", "choose")


def test_airflows_form_lets_nobody_move_a_champion_without_a_reason(installation):
    require(CHROMIUM is not None, "Chromium is not installed")
    champions = installation.champions()
    with signed_in(installation.airflow_url, *installation.login()) as page:
        form = TriggerForm(page, f"{PIPELINE}.champion")
        expect(form.field("Reason")).to_have_attribute("required", "")
        expect(form.button).to_be_disabled()
        form.field("Reason").fill("   ")
        form.button.click()
        expect(page.get_by_text("Invalid input for param reason")).to_be_visible()
    assert installation.champions() == champions


def test_training_that_is_rejected_night_after_night_pauses_and_tells_it_once(installation):
    champions = installation.champions()
    hopeless = {"candidates": {"boosting": NO_SKILL}, "circuit": {"failures": 2, "retry_after": "7d", "drift": 100}}
    with installation.declared(
        train=hopeless, gate={"floors": {"roc_auc": 0.9}}, alert=f"include.{PIPELINE}.source:tell"
    ):
        installation.backfill(
            "--stage", "train", "--reprocess", "completed", "--max-active-runs", "1", first="2013-01-04"
        )
        told = json.loads(installation.airloom("status", "--json").stdout)[0]["paused"]
    assert (told["nights"], told["until"]) == (["2013-01-04", "2013-01-05"], "2013-01-12")
    assert [installation.tasks("train", f"2013-01-0{night}")["fit"] for night in (4, 5, 6)] == [
        "success",
        "success",
        "skipped",
    ]
    assert "2 nights in a row without a usable challenger" in installation.log("train", "assemble", LAST)
    assert len((installation.settings.include / PIPELINE / "alerts.txt").read_text().splitlines()) == 1
    assert installation.champions() == champions


def test_a_person_declines_a_better_model_by_rest_and_approves_it_in_airflows_ui(installation):
    require(CHROMIUM is not None, "Chromium is not installed")
    asked = "2013-01-09"
    installation.correct(asked)
    installation.backfill(
        "--stage", "ingest", "--stage", "features", "--reprocess", "completed", first=asked, last=asked
    )
    required = {"promotion": {"approval": "required"}, "gate": {"guardrails": {}}}
    with installation.declared(train={"candidates": {"boosting": NO_SKILL}}, **required):
        installation.backfill("--stage", "train", "--reprocess", "completed", first=asked, last=asked)
        tasks = installation.tasks("train", asked)
        assert (tasks["approve"], tasks["apply"]) == ("skipped", "success")
    unskilled = json.loads(installation.airloom("verdict", PIPELINE, asked, "--json").stdout)["challenger"]["version"]
    installation.airloom("promote", PIPELINE, str(unskilled), "--reason", "the night needs somebody to beat")
    champion = installation.champions()[-1]
    assert champion == (day(9), unskilled)
    approval = Approval(installation, asked)
    again = ("--stage", "train", "--reprocess", "completed", "--from", asked, "--to", asked)
    with installation.declared(**required):
        with installation.backfilling(*again):
            approval.wait_until_asked()
            approval.answer("Reject")
        assert installation.champions()[-1] == champion
        notes = json.loads(installation.airloom("ledger", PIPELINE, "--json").stdout)["notes"]
        assert notes[-1]["kind"] == "declined"
        assert notes[-1]["reason"] == "declined by admin"
        approval.clear()
        approval.wait_until_asked()
        with signed_in(installation.airflow_url, *installation.login()) as page:
            answer(page, asked, "Approve")
        approval.wait_for("success", task="apply")
    told = json.loads(installation.airloom("ledger", PIPELINE, "--json").stdout)["champions"][-1]
    assert (told["effective_from"], told["actor"]) == (asked, "admin")
    assert told["reason"].startswith("approve: better")
    assert told["version"] != unskilled


@pytest.mark.parametrize(("stage", "task"), [("ingest", "extract"), ("train", "await_inputs")])
def test_a_run_without_a_logical_date_is_refused_in_words(installation, stage, task):
    dag = f"{PIPELINE}.{stage}"
    conf = """'{"password": "PLANTED-PARAMETER"}'"""
    triggered = installation.airflow("dags", "trigger", dag, "--run-id", "no_date", "--conf", conf)
    assert triggered.returncode == 0, triggered.stderr
    wait_until(
        lambda: installation.ask("select state from dag_run where run_id = 'no_date' and dag_id = ?", dag), "failed"
    )
    assert "This is not a partition" in installation.log(stage, task, "")


def test_stopping_leaves_no_process_behind(installation):
    assert len(installation.processes()) >= 5
    installation.airloom("down")
    assert installation.processes() == []


def test_airflows_own_dags_test_works_for_every_stage(installation):
    before = installation.lake()
    stages = ("ingest", "features", "train", "score")
    with ThreadPoolExecutor(2) as pool:
        tested = pool.map(lambda stage: installation.airflow("dags", "test", f"{PIPELINE}.{stage}", LAST), stages)
    for stage, run in zip(stages, tested, strict=True):
        assert (stage, run.returncode) == (stage, 0), run.stdout[-3000:]
        assert installation.runs(stage)[LAST] == "success"
    assert installation.lake() == before
