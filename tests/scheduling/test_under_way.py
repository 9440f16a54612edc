"""Which runs a wait finds under way, asked of Airflow's execution API over a real metadata database."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]

OWN = ("train", "2015-06-01", "running")
#: What a wait of 2015-06-01 finds; the pipeline starts in 2013. A champion stays for the cases that follow.
CASES = {
    "none": {"waits": "verdict", "runs": [OWN]},
    "long ago": {"waits": "verdict", "runs": [OWN, ("train", "2013-02-03", "running")]},
    "days ago": {"waits": "verdict", "runs": [OWN, *[("train", f"2015-05-{day}", "running") for day in (30, 31)]]},
    "queued": {"waits": "verdict", "runs": [OWN, ("train", "2015-05-30", "queued")]},
    "ended": {"waits": "verdict", "runs": [OWN, ("train", "2015-05-30", "success")]},
    "later": {"waits": "verdict", "runs": [OWN, ("train", "2015-06-02", "running")]},
    "an input": {"waits": "score", "runs": [("features", "2015-06-01", "queued"), ("train", "2015-06-01", "running")]},
    "training": {"waits": "score", "runs": [("train", "2015-06-01", "queued")]},
    "no training": {"waits": "score", "runs": []},
    "no champion": {"waits": "score", "runs": [("train", "2013-02-03", "running")]},
    "older": {"waits": "score", "runs": [("train", "2014-12-31", "running")], "champion": "2015-01-01"},
    "not older": {"waits": "score", "runs": [("train", "2015-01-01", "running")]},
}


@pytest.fixture(scope="module")
def looks(tmp_path_factory):
    home = tmp_path_factory.mktemp("airflow")
    own = {"AIRFLOW_HOME": str(home), "AIRLOOM_VAR": str(home / "var"), "PYTHONPATH": f"{PROJECT}/plugins:{PROJECT}"}
    run = subprocess.run(
        [sys.executable, "-m", "tests.scheduling.looks"],
        input=json.dumps(list(CASES.values())),
        env={**os.environ, **own},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert run.returncode == 0, run.stderr[-3000:]
    return dict(zip(CASES, json.loads(run.stdout.split("LOOKS", 1)[1]), strict=True))


def test_a_verdict_waits_for_a_training_of_an_earlier_day_however_far_back(looks):
    assert looks["long ago"]["state"] == "1 training of earlier days under way"
    assert not looks["long ago"]["settled"]


def test_a_verdict_waits_for_no_training_that_has_not_started_has_ended_or_is_of_a_later_day(looks):
    assert all(looks[case]["settled"] for case in ("none", "queued", "ended", "later"))


def test_the_newest_days_are_asked_about_first(looks):
    assert looks["days ago"]["state"] == "2 trainings of earlier days under way"
    assert len(looks["days ago"]["urls"]) == 2
    assert len(looks["long ago"]["urls"]) == 10


def test_days_travel_in_urls_that_every_server_accepts(looks):
    assert max(length for look in looks.values() for length in look["urls"]) < 8000


def test_one_request_answers_for_all_days_when_nothing_is_under_way(looks):
    assert len(looks["no training"]["urls"]) == len(["ingest", "features", "train"])


def test_patience_stands_still_for_a_run_that_makes_an_input_and_not_for_a_training(looks):
    assert [case for case, look in looks.items() if look["coming"]] == ["an input"]


def test_a_score_waits_for_trainings_that_may_still_change_its_champion(looks):
    assert {looks[case]["state"] for case in ("training", "no champion", "not older")} == {"1 run of train under way"}
    assert "under way" not in looks["older"]["state"]
