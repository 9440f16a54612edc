import dataclasses
import json
import os
import stat
import subprocess
import sys

import pytest

from airloom.core.errors import SetupError
from airloom.core.settings import Settings
from airloom.launcher.environment import environment, scheduler_environment, secrets_of
from airloom.launcher.ports import Ports

PORTS = Ports(airflow=18081, mlflow=15001)


def target(variables):
    """The transport behind the one that masks."""
    return json.loads(variables["AIRFLOW__OPENLINEAGE__TRANSPORT"])["transport"]


@pytest.fixture
def settings(tmp_path):
    return Settings(project=tmp_path / "a project", var=tmp_path / "var", state_url="sqlite:////nowhere/state.db")


def test_everything_that_a_run_makes_lies_below_var(settings):
    var = str(settings.var)
    variables = environment(settings, PORTS)
    assert variables["AIRFLOW_HOME"].startswith(var)
    assert variables["AIRFLOW__LOGGING__BASE_LOG_FOLDER"].startswith(var)
    assert variables["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"].startswith(f"sqlite:///{var}/")
    assert target(variables)["log_file_path"] == str(settings.lineage)


def test_servers_answer_on_the_loopback_address_only(settings):
    variables = environment(settings, PORTS)
    assert variables["AIRFLOW__API__HOST"] == "127.0.0.1"
    assert variables["AIRFLOW__API__BASE_URL"] == "http://127.0.0.1:18081"
    assert variables["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"] == "http://127.0.0.1:18081/execution/"
    assert variables["AIRLOOM_MLFLOW_URL"] == "http://127.0.0.1:15001"


def test_a_login_is_needed_and_no_telemetry_leaves(settings):
    variables = environment(settings, PORTS)
    assert variables["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS"] == "False"
    assert variables["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS"] == "admin:admin"
    assert variables["DO_NOT_TRACK"] == variables["MLFLOW_DISABLE_TELEMETRY"] == "true"
    assert variables["GX_ANALYTICS_ENABLED"] == variables["MLFLOW_LOG_UV_FILES"] == "false"


def test_no_variable_holds_a_secret(settings):
    secrets = secrets_of(settings)
    secrets.create()
    contents = [file.read_text() for file in (secrets.jwt, secrets.fernet, secrets.session)] + [secrets.password()]
    variables = environment(settings, PORTS)
    assert not [name for name, value in variables.items() if any(content in value for content in contents)]


def test_an_address_of_mlflow_with_a_login_is_refused_instead_of_printed(settings):
    with_login = dataclasses.replace(settings, tracking_url="http://ann:hush@mlflow:5000")
    with pytest.raises(SetupError, match="must not hold who asks") as error:
        environment(with_login, PORTS)
    assert error.value.found == "http://mlflow:5000 with a login"


def test_the_command_of_a_secret_prints_it_even_from_a_folder_with_a_space(tmp_path):
    settings = Settings(project=tmp_path, var=tmp_path / "with space", state_url="")
    secrets_of(settings).create()
    command = environment(settings, PORTS)["AIRFLOW__API_AUTH__JWT_SECRET_CMD"]
    printed = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, check=True).stdout
    assert printed == secrets_of(settings).jwt.read_text()


def test_airflow_reads_every_option_as_it_is_meant(settings):
    """An option that Airflow does not know, or that it has renamed, would be ignored without a word."""
    secrets_of(settings).create()
    variables = environment(settings, PORTS) | scheduler_environment()
    names = [name for name in variables if name.startswith("AIRFLOW__")]
    code = """
import json, sys
from airflow.configuration import conf
found = {}
for name in json.load(sys.stdin):
    section, key = name.removeprefix("AIRFLOW__").lower().split("__", 1)
    key = key.removesuffix("_cmd")
    known = key in conf.configuration_description.get(section, {}).get("options", {})
    found[name] = [known, conf.get(section, key)]
print(json.dumps(found))
"""
    (settings.var / "airflow").mkdir(parents=True)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        input=json.dumps(names),
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(done.stdout.splitlines()[-1])
    # The broker's options are handed on to its client as they are; the other option is read and not described.
    handed_on = {name for name in names if "__OPENLINEAGE__" in name or "__CELERY_BROKER_TRANSPORT_OPTIONS__" in name}
    handed_on.add("AIRFLOW__SCHEDULER__NUM_STUCK_IN_QUEUED_RETRIES")
    assert {name for name, (known, _) in found.items() if not known} - handed_on == set()
    assert found["AIRFLOW__CORE__FERNET_KEY_CMD"][1] == secrets_of(settings).fernet.read_text()


def test_a_task_asks_the_api_server_longer_than_a_request_may_wait_there_for_the_lock(settings):
    """A request that is given up too early is repeated while the first is still served."""
    waits = int(environment(settings, PORTS)["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"].partition("?timeout=")[2])
    tasks = scheduler_environment()
    asks = int(tasks["AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT"])
    assert waits < asks < int(tasks["AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT"])


@pytest.mark.parametrize(("cores", "tasks"), [(2, "6"), (64, "32")])
def test_tasks_never_take_all_threads_of_the_api_server(monkeypatch, cores, tasks):
    monkeypatch.setattr(os, "cpu_count", lambda: cores)
    assert scheduler_environment()["AIRFLOW__CORE__PARALLELISM"] == tasks


def test_secrets_are_readable_by_their_owner_only_and_made_once(settings):
    secrets = secrets_of(settings)
    assert secrets.create() is True
    before = secrets.password()
    assert secrets.create() is False
    assert secrets.password() == before
    assert stat.S_IMODE(secrets.folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in secrets.folder.iterdir()} == {0o600}


def test_a_secret_that_was_opened_to_others_is_closed_again(settings):
    secrets = secrets_of(settings)
    secrets.create()
    secrets.jwt.chmod(0o644)
    secrets.folder.chmod(0o755)
    secrets.create()
    assert stat.S_IMODE(secrets.jwt.stat().st_mode) == 0o600
    assert stat.S_IMODE(secrets.folder.stat().st_mode) == 0o700


def test_without_a_backend_lineage_goes_to_the_file_alone(settings):
    transport = target(environment(settings, PORTS))
    assert (transport["type"], transport["append"]) == ("file", True)


def test_a_lineage_backend_comes_besides_the_file_and_the_provider_waits_longer_than_its_bound(settings, monkeypatch):
    monkeypatch.setenv("AIRLOOM_LINEAGE_URL", "http://marquez:5000")
    monkeypatch.setenv("AIRLOOM_LINEAGE_TIMEOUT", "12.5")
    variables = environment(settings, PORTS)
    [file, backend] = target(variables)["transports"]
    assert file["log_file_path"] == str(settings.lineage)
    assert (backend["url"], backend["timeout"]) == ("http://marquez:5000/api/v1/lineage", 12.5)
    assert int(variables["AIRFLOW__OPENLINEAGE__EXECUTION_TIMEOUT"]) > 12.5
    assert variables["AIRLOOM_LINEAGE_URL"] == "http://marquez:5000/api/v1/lineage"


def test_the_key_of_a_lineage_backend_is_in_no_variable(settings, monkeypatch):
    monkeypatch.setenv("AIRLOOM_LINEAGE_URL", "http://marquez:5000")
    monkeypatch.setenv("AIRLOOM_LINEAGE_API_KEY", "hush-hush")
    assert not [name for name, value in environment(settings, PORTS).items() if "hush-hush" in value]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AIRFLOW__OPENLINEAGE__TRANSPORT", '{"type": "console"}'),
        ("AIRFLOW__OPENLINEAGE__TRANSPORT", "no JSON"),
        ("OPENLINEAGE_CONFIG", "/etc/openlineage.yml"),
    ],
)
def test_the_users_own_configuration_of_lineage_wins(settings, monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    assert "AIRFLOW__OPENLINEAGE__TRANSPORT" not in environment(settings, PORTS)


def test_what_was_printed_before_is_not_taken_for_the_users_own(settings, monkeypatch):
    before = environment(settings, PORTS)["AIRFLOW__OPENLINEAGE__TRANSPORT"]
    monkeypatch.setenv("AIRFLOW__OPENLINEAGE__TRANSPORT", before)
    monkeypatch.setenv("AIRLOOM_LINEAGE_URL", "http://marquez:5000")
    assert target(environment(settings, PORTS))["type"] == "composite"
