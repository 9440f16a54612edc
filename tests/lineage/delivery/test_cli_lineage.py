import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.lineage.delivery.lineage_events import event, run_id, transport
from tests.lineage.receiver import ENDPOINT

COMMAND = [sys.executable, "-c", "from airloom.cli import main; main()", "lineage"]
PROJECT = Path(__file__).parents[3]


@pytest.fixture
def airloom(tmp_path, receiver):
    environment = {
        **os.environ,
        "AIRLOOM_VAR": str(tmp_path / "var"),
        "PYTHONPATH": str(PROJECT / "plugins"),
        "COLUMNS": "200",
        "AIRLOOM_LINEAGE_URL": receiver.url,
    }

    def run(*arguments, **variables):
        return subprocess.run(
            [*COMMAND, *arguments],
            env={**environment, **variables},
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )

    return run


@pytest.fixture
def lost(receiver, tmp_path):
    """Two events that the backend has lost and one that it has refused."""
    folder = tmp_path / "var" / "lineage"
    for number, status in enumerate((422, 503, 503)):
        receiver.behaviour = status
        transport(receiver.url + ENDPOINT, folder).emit(event(number))
    receiver.behaviour = 201
    (folder / "events.ndjson").write_text("{}\n{}\n{}\n")


def test_status_counts_what_became_of_events(airloom, receiver, lost, tmp_path):
    done = airloom("status", "--json")
    assert json.loads(done.stdout) == {
        "file": str(tmp_path / "var" / "lineage" / "events.ndjson"),
        "events": 3,
        "backend": receiver.url + ENDPOINT,
        "unsent": 2,
        "refused": {"422 Unprocessable Entity": 1},
    }


def test_sending_again_with_a_connection_that_is_not_there_ends_with_what_to_do(airloom, lost):
    done = airloom("resend", AIRLOOM_LINEAGE_CONNECTION="nowhere")
    assert done.returncode == 5
    assert "There is no Airflow connection nowhere" in done.stderr
    assert "AIRFLOW_CONN_NOWHERE" in done.stderr
    assert "Traceback" not in done.stderr


def test_status_tells_people_what_to_do(airloom, lost):
    lines = airloom("status").stdout
    assert "2; to send them: airloom lineage resend" in lines
    assert "1 with 422 Unprocessable Entity" in lines


def test_status_before_the_first_event(airloom):
    done = airloom("status", AIRLOOM_LINEAGE_URL="")
    assert done.returncode == 0
    assert "AIRLOOM_LINEAGE_URL names one" in done.stdout


def test_status_says_that_the_users_own_configuration_rules(airloom):
    done = airloom("status", AIRFLOW__OPENLINEAGE__TRANSPORT='{"type": "console"}')
    assert "your own configuration" in done.stdout


def test_resend_sends_what_was_lost_and_is_done_then(airloom, receiver, lost):
    done = airloom("resend")
    assert (done.returncode, done.stdout.strip()) == (0, "2 sent, 0 refused, 0 left")
    assert receiver.statuses() == [("START", run_id(1)), ("START", run_id(2))]
    again = airloom("resend", "--json")
    assert json.loads(again.stdout) == {"accepted": 0, "refused": 0, "left": 0, "problem": None}


def test_resend_to_a_backend_that_is_away_fails_in_words_and_keeps_everything(airloom, receiver, lost):
    receiver.behaviour = 401
    done = airloom("resend", AIRLOOM_LINEAGE_API_KEY="hush-hush")
    assert (done.returncode, done.stdout.strip()) == (5, "0 sent, 0 refused, 2 left")
    assert "401 Unauthorized" in done.stderr
    assert "Traceback" not in done.stderr
    assert "hush-hush" not in done.stdout + done.stderr


def test_resend_takes_the_key_from_an_airflow_connection(airloom, receiver, lost):
    done = airloom(
        "resend",
        AIRLOOM_LINEAGE_CONNECTION="marquez",
        AIRFLOW_CONN_MARQUEZ='{"conn_type": "http", "password": "hush-hush"}',
    )
    assert done.returncode == 0, done.stderr
    assert receiver.keys[-1] == "Bearer hush-hush"


def test_resend_without_a_backend_says_what_to_set(airloom):
    done = airloom("resend", AIRLOOM_LINEAGE_URL="")
    assert done.returncode == 2
    assert "AIRLOOM_LINEAGE_URL" in done.stderr
