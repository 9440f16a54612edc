"""The chain through the real scheduler, in one installation; what tests look at was kept when it happened."""

import json
import re

import pytest

from tests.system.approval import Approval
from tests.system.browser import TriggerForm, answer, expect, require_browser, signed_in
from tests.system.installation import BAD, CORRUPTED, GOOD, LAST, PIPELINE, day

pytestmark = [pytest.mark.system, pytest.mark.timeout(3600)]

#: A candidate that learns the share of late parcels and no more.
NO_SKILL = {"fit": f"include.{PIPELINE}.models:constant", "params": {}}


def test_every_stage_ran_for_every_day(ran):
    for runs in ran.runs.values():
        assert set(runs.values()) == {"success"}
        assert len(runs) == 5


def test_every_day_is_published_and_scored_once_there_is_a_champion(ran):
    lake = ran.state["lake"]
    assert list(lake["raw.parcels"]) == [day(number) for number in range(1, 6)]
    assert list(lake["features.courier_delays"]) == [day(number) for number in range(1, 6)]
    assert list(lake["predictions"]) == [day(number) for number in range(4, 6)]
    assert ran.state["champions"][0] == (day(4), 1)


def test_a_window_that_is_not_complete_ends_the_training_as_skipped(installation, ran):
    assert set(ran.tasks["2024-01-03"].values()) == {"skipped"}
    assert "there are 2 of 3 days since the start" in installation.log("train", "await_inputs", "2024-01-03")
    assert ran.tasks["2024-01-04"]["apply"] == "success"


def test_airflow_finds_nothing_to_complain_about(installation, ran):
    assert "No data found" in installation.airflow("dags", "list-import-errors").stdout
    plugins = installation.airflow("plugins")
    assert plugins.returncode == 0
    assert "airloom" in plugins.stdout


def test_every_publishing_task_names_what_it_read_and_wrote(installation, ran):
    completed = [event for event in installation.events() if event["eventType"] == "COMPLETE"]
    written = {output["name"] for event in completed for output in event.get("outputs", [])}
    assert {f"{PIPELINE}/raw.parcels", f"{PIPELINE}/features.depot_traffic", f"{PIPELINE}/predictions"} <= written


def test_status_tells_how_far_each_stage_is(ran):
    assert f'"{PIPELINE}"' in ran.status
    assert LAST in ran.status


def test_the_same_again_ends_in_the_same_state(repeated):
    assert repeated.after == repeated.before


def test_correcting_a_day_recomputes_exactly_what_used_it(corrected):
    before, after = corrected.before, corrected.after
    changed = {
        table: [each.day for each in after[table] if after[table][each] != before[table][each]] for table in after
    }
    assert changed["raw.parcels"] == [3]
    assert changed["raw.traffic"] == []
    assert changed["features.courier_delays"] == [3, 4, 5]
    assert changed["features.depot_delays"] == [3, 4]
    assert changed["features.depot_traffic"] == []
    assert changed["predictions"] == [4, 5]


def test_corrupted_days_are_stopped_and_the_next_good_day_works(corrupted):
    assert corrupted.code == 3
    assert {each for each, state in corrupted.runs["ingest"].items() if state == "failed"} == set(CORRUPTED)
    for stage in ("features", "train", "score"):
        assert set(corrupted.runs[stage].values()) == {"success"}
    lake = corrupted.lake
    assert {table for table in lake if day(6) in lake[table]} == {"features.courier_delays", "features.depot_delays"}
    assert lake["features.courier_delays"][day(6)].degraded
    assert corrupted.tasks["score", BAD] == {"await_inputs": "success", "score": "skipped", "review": "skipped"}
    assert corrupted.tasks["train", GOOD]["assemble"] == "skipped"
    assert corrupted.tasks["score", GOOD]["score"] == "success"
    assert lake["predictions"][day(7)].degraded


@pytest.mark.parametrize("bad", CORRUPTED)
def test_the_log_says_why_a_day_was_stopped(installation, corrupted, bad):
    _, task, reason = CORRUPTED[bad]
    assert reason in installation.log("ingest", task, bad)
    assert corrupted.tasks["ingest", bad]["publish"] == "upstream_failed"
    assert bad in corrupted.blocked


def test_a_day_that_is_run_again_as_it_was_fails_again_and_says_which_task(repaired):
    code, output = repaired.as_it_was
    assert code == 3
    assert f"airloom run {PIPELINE} --day {BAD}" in output
    assert CORRUPTED[BAD][1] in output


def test_the_corrected_day_repairs_what_was_degraded(repaired):
    lake = repaired.lake
    assert not any(lake[table][each].degraded for table in lake for each in (day(6), day(7)))
    assert repaired.tasks["apply"] == "success"


def scored_day_of_a_choice(installation):
    """The day from which a person's choice is champion: that of the newest prediction, unless the champion is newer."""
    scored = max(installation.lake()["predictions"])
    if (since := installation.champions()[-1][0]) <= scored:
        return scored
    installation.backfill("--stage", "score", first=since.isoformat(), last=since.isoformat())
    return since


def other_version(installation):
    champion = installation.champions()[-1][1]
    return champion, next(version for version in (1, 2, 3) if version != champion)


def ledger(installation, what="champions"):
    """The newest entry of the ledger, as programs read it."""
    return json.loads(installation.airloom("ledger", PIPELINE, "--json").stdout)[what][-1]


def test_a_person_promotes_a_version_and_rolls_it_back(installation, repaired):
    newest = scored_day_of_a_choice(installation)
    champion, other = other_version(installation)
    installation.airloom("promote", PIPELINE, str(other), "--reason", "a trial", "--rescore")
    assert installation.champions()[-1] == (newest, other)
    assert installation.predicted_by(newest) == {other}
    installation.airloom("rollback", PIPELINE, "--reason", "the trial is over", "--rescore")
    assert installation.champions()[-1] == (newest, champion)
    assert installation.predicted_by(newest) == {champion}
    told = ledger(installation)
    assert (told["actor"], told["reason"]) == ("admin", "rollback: the trial is over")
    installation.airloom("pin", PIPELINE, "--reason", "holidays")
    assert json.loads(installation.airloom("status", "--json").stdout)[0]["pinned"] == "by admin: holidays"
    installation.airloom("unpin", PIPELINE, "--reason", "they are over")
    refused = installation.airloom("promote", PIPELINE, str(champion), "--reason", "again", check=False)
    assert (refused.returncode, "the champion already" in refused.stderr) == (4, True)


def test_a_person_rolls_back_in_airflows_ui_and_finds_it_in_the_ledger(installation, repaired):
    require_browser()
    champion, other = other_version(installation)
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
    told = ledger(installation)
    assert (told["version"], told["actor"]) == (champion, "admin")
    assert told["reason"] == "rollback: too many false alarms"
    choice = f"{PIPELINE} {told['effective_from']}: roll back to version {champion}"
    assert choice in installation.log("champion", "choose")


def test_airflows_form_lets_nobody_move_a_champion_without_a_reason(installation, ran):
    require_browser()
    champions = installation.champions()
    with signed_in(installation.airflow_url, *installation.login()) as page:
        form = TriggerForm(page, f"{PIPELINE}.champion")
        expect(form.field("Reason")).to_have_attribute("required", "")
        expect(form.button).to_be_disabled()
        form.field("Reason").fill("   ")
        form.button.click()
        expect(page.get_by_text("Invalid input for param reason")).to_be_visible()
    assert installation.champions() == champions


def test_airflows_form_as_it_stands_says_in_one_sentence_what_to_type(installation, ran):
    require_browser()
    with signed_in(installation.airflow_url, *installation.login()) as page:
        form = TriggerForm(page, f"{PIPELINE}.ingest")
        form.button.click()
        said = page.get_by_text("A logical date is the start of a day, 00:00 in UTC")
        expect(said).to_be_visible()
        expect(said).to_contain_text(re.compile(r"; type \d{4}-\d{2}-\d{2}T00:00:00\+00:00 for"))


def test_training_that_is_rejected_night_after_night_pauses_and_tells_it_once(installation, repaired):
    champions = installation.champions()
    alerts = installation.settings.include / PIPELINE / "alerts.txt"
    alerts.unlink(missing_ok=True)
    hopeless = {"candidates": {"logistic": NO_SKILL}, "circuit": {"failures": 2, "retry_after": "7d", "drift": 100}}
    with installation.declared(
        train=hopeless, gate={"floors": {"roc_auc": 0.99}}, alert=f"include.{PIPELINE}.source:record_alert"
    ):
        installation.backfill(
            "--stage",
            "train",
            "--reprocess",
            "completed",
            "--max-active-runs",
            "1",
            first="2024-01-04",
            last="2024-01-06",
        )
        told = json.loads(installation.airloom("status", "--json").stdout)[0]["paused"]
    assert (told["nights"], told["until"]) == (["2024-01-04", "2024-01-05"], "2024-01-12")
    assert [installation.tasks("train", f"2024-01-0{night}")["fit"] for night in (4, 5, 6)] == [
        "success",
        "success",
        "skipped",
    ]
    assert "2 nights in a row without a usable challenger" in installation.log("train", "assemble", "2024-01-06")
    assert len(alerts.read_text().splitlines()) == 1
    assert installation.champions() == champions


def test_a_person_declines_a_better_model_by_rest_and_approves_it_in_airflows_ui(installation, repaired):
    require_browser()
    asked = "2024-01-08"
    installation.correct(asked)
    installation.backfill(
        "--stage", "ingest", "--stage", "features", "--reprocess", "completed", first=asked, last=asked
    )
    required = {"promotion": {"approval": "required"}, "gate": {"guardrails": {}}}
    with installation.declared(train={"candidates": {"logistic": NO_SKILL}}, **required):
        installation.backfill("--stage", "train", "--reprocess", "completed", first=asked, last=asked)
        tasks = installation.tasks("train", asked)
        assert (tasks["approve"], tasks["apply"]) == ("skipped", "success")
    unskilled = json.loads(installation.airloom("verdict", PIPELINE, asked, "--json").stdout)["challenger"]["version"]
    installation.airloom("promote", PIPELINE, str(unskilled), "--reason", "the night needs somebody to beat")
    champion = installation.champions()[-1]
    assert champion == (day(8), unskilled)
    approval = Approval(installation, asked)
    again = ("--stage", "train", "--reprocess", "completed", "--from", asked, "--to", asked)
    with installation.declared(**required):
        with installation.backfilling(*again):
            approval.wait_until_asked()
            approval.answer("Reject")
        assert installation.champions()[-1] == champion
        note = ledger(installation, "notes")
        assert (note["kind"], note["reason"]) == ("declined", "declined by admin")
        approval.clear()
        approval.wait_until_asked()
        with signed_in(installation.airflow_url, *installation.login()) as page:
            answer(page, asked, "Approve")
        approval.wait_for("success", task="apply")
    told = ledger(installation)
    assert (told["effective_from"], told["actor"]) == (asked, "admin")
    assert told["reason"].startswith("approve: better")
    assert told["version"] != unskilled


@pytest.mark.parametrize("stage", ["ingest", "train"])
def test_a_run_without_a_logical_date_is_refused_in_words(installation, undated, stage):
    assert "This is not a partition" in installation.log(stage, undated[stage], "")
