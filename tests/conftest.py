"""What every test runs under: a throw-away Airflow home, no telemetry, and no connection that leaves the machine."""

import ipaddress
import os
import socket
import tempfile
from pathlib import Path

import pytest

pytest_plugins = ["tests.servers.fixtures", "tests.servers.state"]

PROJECT = Path(__file__).parents[1]

_HOME = tempfile.mkdtemp(prefix="airloom-tests-")
os.environ.update(
    {
        "AIRFLOW_HOME": _HOME,
        "AIRFLOW__CORE__DAGS_FOLDER": str(PROJECT / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(PROJECT / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
        "AIRLOOM_VAR": str(Path(_HOME) / "var"),
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "DO_NOT_TRACK": "true",
        "GX_ANALYTICS_ENABLED": "false",
        "OMP_NUM_THREADS": "1",
    }
)


@pytest.fixture(autouse=True)
def _stay_on_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    connect = socket.socket.connect

    def connect_to_loopback(self, address):
        if self.family in (socket.AF_INET, socket.AF_INET6) and not _is_loopback(address[0]):
            raise PermissionError(f"a test tried to connect to {address[0]}")
        return connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", connect_to_loopback)


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def pytest_terminal_summary(terminalreporter) -> None:
    """Tell what tests have counted, wherever they ran."""
    counted = [report for report in terminalreporter.getreports("passed") if report.user_properties]
    if counted:
        terminalreporter.section("counted")
    for report in counted:
        terminalreporter.line(report.nodeid)
        for name, value in report.user_properties:
            terminalreporter.line(f"  {name}: {value}")
