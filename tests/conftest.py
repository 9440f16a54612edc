"""What every test runs under: a throw-away Airflow home, no telemetry, and no connection that leaves the machine."""

import gc
import ipaddress
import os
import shutil
import socket
import tempfile
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import hypothesis
import pytest
from xdist.scheduler import LoadFileScheduling

from airloom.core import clock

pytest_plugins = ["tests.servers.fixtures", "tests.servers.state", "tests.worlds.fixtures"]

PROJECT = Path(__file__).parents[1]

# A busy machine is no reason to fail.
hypothesis.settings.register_profile("airloom", deadline=None)
hypothesis.settings.load_profile("airloom")

# The libraries are a million objects that stay; looking through them again and again is a tenth of the suite.
gc.set_threshold(20_000, 20, 100)

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


@pytest.fixture
def now(monkeypatch):
    """Set the clock that days are asked by: `now("2024-01-06T05:00")`, in UTC."""

    def set_clock(text: str) -> None:
        moment = datetime.fromisoformat(text).replace(tzinfo=UTC)
        monkeypatch.setattr(clock, "now", lambda: moment)

    return set_clock


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


#: Files that share an expensive fixture, by the first of them.
_TOGETHER = {
    "tests/system/test_orders.py": "tests/system/test_topology.py",
    "tests/system/test_lineage.py": "tests/system/test_chain.py",
    "tests/faults/test_promotion_faults.py": "tests/faults/test_sweep.py",
}
#: What takes longest and waits most comes first, so that everything else runs beside it.
_FIRST = (*_TOGETHER.values(), *_TOGETHER, "tests/system", "tests/faults")


class _Together(LoadFileScheduling):
    """A file's tests stay on one worker, for what they share; so do files that share something expensive."""

    def _split_scope(self, nodeid):
        file = super()._split_scope(nodeid)
        return _TOGETHER.get(file, file)


def pytest_xdist_make_scheduler(config, log):
    return _Together(config, log)


def pytest_collection_modifyitems(items) -> None:
    items.sort(key=lambda item: [not item.nodeid.startswith(first) for first in _FIRST])


_not_proven = Counter()


def pytest_unconfigure() -> None:
    """Leave nothing behind; the last line is what was not proven, and what adds it."""
    shutil.rmtree(_HOME, ignore_errors=True)
    for reason, tests in _not_proven.items():
        print(f"Not proven by {tests} skipped tests: {reason}")


def pytest_terminal_summary(terminalreporter) -> None:
    """Print what tests have counted, wherever they ran."""
    _not_proven.update(
        str(report.longrepr[2]).removeprefix("Skipped: ") for report in terminalreporter.getreports("skipped")
    )
    counted = [report for report in terminalreporter.getreports("passed") if report.user_properties]
    if counted:
        terminalreporter.section("counted")
    for report in counted:
        terminalreporter.line(report.nodeid)
        for name, value in report.user_properties:
            terminalreporter.line(f"  {name}: {value}")
