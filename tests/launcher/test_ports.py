import os
import socket

import pytest

from airloom.core.errors import SetupError, UsageError
from airloom.launcher.ports import Ports, require_free


@pytest.fixture
def listener():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield server.getsockname()[1]


def test_a_busy_port_is_named_with_its_process_and_the_setting_that_changes_it(listener):
    with pytest.raises(SetupError) as caught:
        require_free(listener, "Airflow", "AIRLOOM_AIRFLOW_PORT")
    message = str(caught.value)
    assert f"Port {listener} is busy" in message
    assert f"process {os.getpid()} (" in message
    assert "AIRLOOM_AIRFLOW_PORT=" in message


def test_a_port_that_nobody_listens_on_is_free(listener):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        free = probe.getsockname()[1]
    require_free(free, "Airflow", "AIRLOOM_AIRFLOW_PORT")


@pytest.mark.parametrize("text", ["0", "65536", "http", "-1", ""])
def test_what_is_not_a_port_is_refused_by_the_name_of_its_setting(monkeypatch, text):
    monkeypatch.setenv("AIRLOOM_MLFLOW_PORT", text)
    with pytest.raises(UsageError, match="not a port") as caught:
        Ports.from_environment()
    assert caught.value.where == "AIRLOOM_MLFLOW_PORT"


def test_one_port_for_both_servers_is_refused(monkeypatch):
    monkeypatch.setenv("AIRLOOM_MLFLOW_PORT", "8080")
    monkeypatch.delenv("AIRLOOM_AIRFLOW_PORT", raising=False)
    with pytest.raises(UsageError, match="share"):
        Ports.from_environment()
