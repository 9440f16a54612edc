"""The chain through the real scheduler, on real days, in one installation; the tests build on each other in order."""

import pytest
from installation import PIPELINE, day, wait_until

pytestmark = pytest.mark.system


@pytest.fixture(scope="module", autouse=True)
def _remember(in_parallel):
    """Keep the state before any test changes it."""


def test_every_stage_ran_for_every_day(installation):
    for stage in ("ingest", "features", "train", "score"):
        assert set(installation.runs(stage).values()) == {"success"}
        assert len(installation.runs(stage)) == 7


def test_every_day_is_published_and_scored_once_there_is_a_champion(installation):
    lake = installation.lake()
    assert list(lake["raw.flights"]) == [day(number) for number in range(1, 8)]
    assert list(lake["features.carrier_delays"]) == [day(number) for number in range(1, 8)]
    assert list(lake["predictions"]) == [day(number) for number in range(4, 8)]
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
    assert "2013-01-07" in told


def test_the_same_again_ends_in_the_same_state(installation, in_parallel):
    installation.backfill("--reprocess", "completed")
    assert installation.state() == in_parallel


def test_the_same_backwards_ends_in_the_same_state(installation, in_parallel):
    installation.backfill("--reprocess", "completed", "--backwards")
    assert installation.state() == in_parallel


def test_correcting_a_day_recomputes_exactly_what_used_it(installation):
    before = installation.lake()
    installation.change("2013-01-04", "fewer flights")
    for stage in ("ingest", "features", "score"):
        installation.backfill("--stage", stage, "--reprocess", "completed", first="2013-01-04", last="2013-01-04")
    after = installation.lake()
    changed = {
        table: [each.day for each in after[table] if after[table][each] != before[table][each]] for table in after
    }
    assert changed["raw.flights"] == [4]
    assert changed["raw.weather"] == []
    assert changed["features.carrier_delays"] == [4, 5, 6]
    assert changed["features.origin_delays"] == [4, 5]
    assert changed["features.origin_weather"] == []
    assert changed["predictions"] == [4, 5, 6]


BAD, GOOD = "2013-01-08", "2013-01-09"


def test_a_corrupted_day_is_stopped_and_the_next_good_day_works(installation):
    installation.change(BAD, "no keys")
    assert installation.backfill(first=BAD, last=GOOD, check=False).returncode == 3
    assert installation.tasks("ingest", BAD)["publish"] == "upstream_failed"
    assert "flights of 2013-01-08 is blocked" in installation.log("ingest", "validate", BAD)
    lake = installation.lake()
    assert {table for table in lake if day(8) in lake[table]} == {
        "features.carrier_delays",
        "features.origin_delays",
        "features.route_delays",
        "features.aircraft_delays",
    }
    assert lake["features.carrier_delays"][day(8)].degraded
    assert installation.tasks("score", BAD) == {"await_inputs": "success", "score": "skipped"}
    assert installation.tasks("train", GOOD)["assemble"] == "skipped"
    assert installation.tasks("score", GOOD)["score"] == "success"
    assert lake["predictions"][day(9)].degraded


def test_the_corrected_day_repairs_what_was_degraded(installation):
    installation.correct(BAD)
    installation.backfill("--reprocess", "completed", first=BAD, last=GOOD)
    lake = installation.lake()
    assert not any(day(8) in lake[table] and lake[table][day(8)].degraded for table in lake)
    assert not any(day(9) in lake[table] and lake[table][day(9)].degraded for table in lake)
    assert day(8) in lake["predictions"]
    assert installation.tasks("train", GOOD)["apply"] == "success"


@pytest.mark.parametrize(
    ("bad", "change", "task", "reason"),
    [
        ("2013-01-10", "no rows", "extract", "flights"),
        ("2013-01-11", "impossible times", "validate", "is blocked"),
    ],
)
def test_a_day_that_cannot_be_true_is_stopped_with_the_reason(installation, bad, change, task, reason):
    installation.change(bad, change)
    installation.backfill("--stage", "ingest", first=bad, last=bad, check=False)
    assert installation.runs("ingest")[bad] == "failed"
    assert reason in installation.log("ingest", task, bad)
    assert day(int(bad[-2:])) not in installation.lake()["raw.flights"]


@pytest.mark.parametrize(("stage", "task"), [("ingest", "extract"), ("train", "await_inputs")])
def test_a_run_without_a_logical_date_is_refused_in_words(installation, stage, task):
    dag = f"{PIPELINE}.{stage}"
    assert installation.airflow("dags", "trigger", dag, "--run-id", "no_date").returncode == 0
    wait_until(
        lambda: installation.ask("select state from dag_run where run_id = 'no_date' and dag_id = ?", dag), "failed"
    )
    assert "This is not a partition" in installation.log(stage, task, "")


def test_stopping_leaves_no_process_behind(installation):
    assert len(installation.processes()) >= 5
    installation.airloom("down")
    assert installation.processes() == []


@pytest.mark.parametrize("stage", ["ingest", "features", "train", "score"])
def test_airflows_own_dags_test_works_for_every_stage(installation, stage):
    before = installation.lake()
    tested = installation.airflow("dags", "test", f"{PIPELINE}.{stage}", "2013-01-07")
    assert "state:success" in tested.stdout, tested.stdout[-3000:]
    assert installation.lake() == before
