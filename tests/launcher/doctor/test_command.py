"""The command `airloom doctor`: what it prints, and how it ends."""

import json
import subprocess
import sys

import pytest

from airloom.launcher.doctor.findings import Finding
from tests.launcher.doctor.findings import of_state

COMMAND = [sys.executable, "-W", "ignore", "-c", "from airloom.cli import main; main()", "doctor"]


def doctor(installed, *options, **variables):
    environment = installed.environment(COLUMNS="200", **variables)
    return subprocess.run([*COMMAND, *options], env=environment, capture_output=True, text=True, timeout=600)


def test_nothing_wrong_ends_well_and_no_secret_is_told(installed, bucket, redis_server):
    keys = {"AIRLOOM_ONLINE_URL": redis_server.url(3), "AIRLOOM_STORAGE_URL": str(bucket)}
    done = doctor(installed, "--json", **keys)
    found = [Finding(**each) for each in json.loads(done.stdout)]
    assert (done.returncode, of_state(found, "wrong")) == (0, set())
    assert {"storage", "online store", "Redis keeps features"} <= of_state(found, "ok")
    told = done.stdout + done.stderr
    assert "planted" not in told
    secrets = installed.secrets
    kept = [file.read_text() for file in (secrets.jwt, secrets.session, secrets.fernet)] + [secrets.password()]
    assert [secret for secret in kept if secret in told] == []


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("LOGGING__LOGGING_LEVEL", "debug", "`[logging] logging_level` should not be 'debug'"),
        ("DATABASE__SQL_ALCHEMY_CONN", "postgresql//planted-host/db", "with these settings. ValueError at "),
    ],
)
def test_settings_with_which_airflow_cannot_be_loaded_are_a_finding(installed, name, value, said):
    servers = {"AIRLOOM_AIRFLOW_URL": "http://127.0.0.1:9"}
    done = doctor(installed, "--json", **servers, **{f"AIRFLOW__{name}": value})
    assert done.returncode == 5, done.stderr
    [found] = [each for each in json.loads(done.stdout) if each["check"] == "settings"]
    assert (found["state"], said in found["said"], "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN" in found["do"]) == (
        "wrong",
        True,
        True,
    )
    assert "planted" not in done.stdout + done.stderr


HANGING = """
import time
from airloom.launcher.doctor import examination
from airloom.launcher.doctor.findings import Check, ok

def hang(_):
    time.sleep(600)
    yield

def well(_):
    yield ok("well", "answers")

lines = (Check("deaf", hang), Check("next", well)), (Check("well", well),)
examination.CHECKS, examination._SECONDS, examination.load_libraries = lines, 1.0, lambda: None
"""


def test_what_never_answers_is_told_and_not_waited_for(installed):
    command = [sys.executable, "-W", "ignore", "-c", f"{HANGING}\n{COMMAND[-2]}", "doctor", "--json"]
    done = subprocess.run(command, env=installed.environment(), capture_output=True, text=True, timeout=600)
    found = [Finding(**each) for each in json.loads(done.stdout)]
    assert (done.returncode, [(each.check, each.state) for each in found]) == (
        5,
        [("deaf", "wrong"), ("next", "skipped"), ("well", "ok")],
    )
    assert found[0].said == "no answer within 1 s"


def test_folders_that_are_named_from_where_one_is(installed):
    places = installed.environment(AIRLOOM_VAR="var", AIRLOOM_PROJECT="project")
    command = [*COMMAND, "--json"]
    done = subprocess.run(command, env=places, cwd=installed.folder, capture_output=True, text=True, timeout=600)
    found = [Finding(**each) for each in json.loads(done.stdout)]
    assert (done.returncode, of_state(found, "wrong")) == (0, set())


def test_something_wrong_ends_with_5_and_says_what_to_do(installed):
    installed.secrets.fernet.chmod(0o640)
    done = doctor(installed, AIRLOOM_STATE_URL="connection:nowhere")
    assert done.returncode == 5
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
    # A long path goes over several lines.
    assert f"→chmod600{installed.secrets.fernet}" in "".join(done.stdout.split())
    assert any(line.startswith("✗ settings There is no Airflow connection nowhere") for line in lines)
    assert any(line.startswith("✓ packages") for line in lines)
    assert lines[-1] == "2 wrong, 0 warnings"
    assert "Traceback" not in done.stderr
