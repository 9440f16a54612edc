"""The environment of a process that somebody else starts, such as a container."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from airloom.core.settings import Settings
from airloom.launcher.given import adopt, completed
from airloom.launcher.ports import Ports

AIRLOOM = str(Path(sys.executable).with_name("airloom"))


@pytest.fixture
def settings(tmp_path):
    return Settings(project=tmp_path, var=tmp_path / "var", state_url="postgresql+psycopg://me:hush@db/airloom")


def run(*words, **variables):
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "AIRLOOM"))}
    return subprocess.run(
        [AIRLOOM, "exec", "--", *words], env=clean | variables, capture_output=True, text=True, timeout=600
    )


def test_what_is_given_wins_and_the_rest_is_the_distributions(settings):
    variables = completed(settings, Ports(), {"AIRFLOW__CORE__EXECUTOR": "CeleryExecutor", "HOME": "/home/me"})
    assert variables["AIRFLOW__CORE__EXECUTOR"] == "CeleryExecutor"
    assert variables["HOME"] == "/home/me"
    assert variables["AIRFLOW__CORE__LOAD_EXAMPLES"] == "False"
    assert variables["DO_NOT_TRACK"] == "true"


def test_a_secret_that_is_given_leaves_no_command_that_would_print_another(settings):
    variables = completed(settings, Ports(), {"AIRFLOW__CORE__FERNET_KEY": "given"})
    assert "AIRFLOW__CORE__FERNET_KEY_CMD" not in variables
    assert "AIRFLOW__API_AUTH__JWT_SECRET_CMD" in variables


def test_the_password_of_a_server_is_not_spread_to_other_variables(settings):
    assert not [name for name, value in completed(settings, Ports(), {}).items() if "hush" in value]


def test_a_path_of_python_that_is_given_is_kept(settings):
    assert completed(settings, Ports(), {"PYTHONPATH": "/mine"})["PYTHONPATH"].endswith(":/mine")


def test_a_command_sees_the_environment_and_its_own_arguments(tmp_path):
    code = "import os, sys; print(os.environ['AIRFLOW__CORE__EXECUTOR'], os.environ['AIRLOOM_VAR'], sys.argv[1:])"
    variables = {"AIRLOOM_VAR": str(tmp_path), "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor"}
    done = run(sys.executable, "-c", code, "--queues", "default", **variables)
    assert done.stdout.split("\n")[0] == f"CeleryExecutor {tmp_path} ['--queues', 'default']"


@pytest.mark.parametrize("command", ["no-such-command", __file__, "/"], ids=["none", "not executable", "a folder"])
def test_a_command_that_cannot_be_run_is_told_without_a_traceback(command):
    done = run(command)
    assert (done.returncode, f"{command}: " in done.stderr, "Traceback" in done.stderr) == (2, True, False)


def test_a_complete_environment_is_left_as_it_is(settings, monkeypatch):
    monkeypatch.setenv("AIRLOOM_ENVIRONMENT_COMPLETE", "1")
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", "CeleryExecutor")
    adopt(settings, Ports())
    assert os.environ["AIRFLOW__CORE__EXECUTOR"] == "CeleryExecutor"


def test_connections_are_not_looked_up_before_airflow_has_started():
    done = run(sys.executable, "-c", "print('started')", AIRLOOM_STATE_URL="connection:airloom_state")
    assert done.stdout.strip() == "started"


def test_a_shell_beside_servers_keeps_what_it_is_told_of_them(settings, monkeypatch):
    monkeypatch.setattr(os, "environ", dict(os.environ))
    os.environ.pop("AIRLOOM_ENVIRONMENT_COMPLETE", None)
    os.environ.update({"AIRLOOM_AIRFLOW_URL": "http://airflow:8080", "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor"})
    adopt(settings, Ports())
    assert os.environ["AIRFLOW__CORE__EXECUTOR"] == "CeleryExecutor"
    assert os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] == "False"
