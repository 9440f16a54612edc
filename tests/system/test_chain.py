"""The chain through the real scheduler, on real days, in one installation; the tests build on each other in order."""

import pytest
from installation import PIPELINE, Installation, day

pytestmark = pytest.mark.system

FIRST, LAST = "2013-01-01", "2013-01-07"


@pytest.fixture(scope="module")
def installation(tmp_path_factory):
    installation = Installation.create(tmp_path_factory.mktemp("installation"))
    try:
        installation.airloom("demo", "--from", FIRST, "--to", LAST)
        yield installation
    finally:
        installation.airloom("down")


def backfill(installation, *options, first=FIRST, last=LAST):
    return installation.airloom("backfill", PIPELINE, "--from", first, "--to", last, *options)


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
    assert installation.tasks("train", "2013-01-03")["assemble"] == "skipped"
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


def test_the_same_again_ends_in_the_same_state(installation):
    before = installation.state()
    backfill(installation, "--reprocess", "completed")
    assert installation.state() == before


def test_the_same_backwards_ends_in_the_same_state(installation):
    before = installation.state()
    backfill(installation, "--reprocess", "completed", "--backwards")
    assert installation.state() == before


def test_correcting_a_day_recomputes_exactly_what_used_it(installation):
    before = installation.lake()
    installation.change("2013-01-04", "fewer flights")
    for stage in ("ingest", "features", "score"):
        backfill(installation, "--stage", stage, "--reprocess", "completed", first="2013-01-04", last="2013-01-04")
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
