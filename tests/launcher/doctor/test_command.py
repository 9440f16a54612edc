"""The command `airloom doctor`: what it prints, and how it ends."""

import json
import subprocess
import sys

from findings import of_state

from airloom.launcher.doctor.findings import Finding

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
