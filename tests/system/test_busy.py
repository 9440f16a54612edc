"""A busy machine: two backfills at once, beside processes that take all the cores; and servers that die."""

import contextlib
import re
import subprocess
import sys
import time
from dataclasses import dataclass

import psutil
import pytest

from airloom.launcher.ports import Ports
from airloom.launcher.services import Services
from tests.system.installation import Installation

pytestmark = [pytest.mark.system, pytest.mark.timeout(3600)]

PIPELINES = ("north_toys", "south_toys")
DAYS, COUNT = ("--from", "2024-03-01", "--to", "2024-03-04"), 4
#: Bounded, should the test itself be killed.
BUSY = "import time\nend = time.monotonic() + 1500\nwhile time.monotonic() < end: pass"


@contextlib.contextmanager
def load(processes):
    busy = [subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(processes)]
    try:
        yield
    finally:
        for process in busy:
            process.kill()
            process.wait()


@pytest.fixture(scope="module", params=[0, pytest.param(4, marks=pytest.mark.long)])
def busy(request):
    """How many processes take all the time they can get; the rest of the suite is a load, too."""
    return request.param


@pytest.fixture(scope="module")
def installation(tmp_path_factory, busy):
    installation = Installation.with_toys(tmp_path_factory.mktemp("busy") / "installation", PIPELINES)
    try:
        yield installation
    finally:
        installation.airloom("down")
    assert installation.processes() == []


@dataclass(frozen=True)
class Ended:
    """What was seen when both backfills had ended.

    Args:
        codes: The exit status of each.
        failed: Every task that has failed.
        retried: Every task that was tried again.
        runs: How many runs of every DAG ended well.
        audited: How many of Airflow's backfills the audit log says a person has created.
        log: What the API server has logged.
    """

    codes: list
    failed: list
    retried: list
    runs: list
    audited: list
    log: str


@pytest.fixture(scope="module")
def ended(installation, busy):
    with load(busy):
        installation.airloom("up")
        commands = [installation.start("backfill", pipeline, *DAYS) for pipeline in PIPELINES]
        codes = [command.wait(timeout=1500) for command in commands]
    return Ended(
        codes=codes,
        failed=installation.ask(
            "select dag_id, task_id from task_instance where state in ('failed', 'upstream_failed')"
        ),
        retried=installation.ask("select dag_id, task_id from task_instance_history"),
        runs=installation.ask("select dag_id, count(*) from dag_run where state = 'success' group by 1 order by 1"),
        audited=installation.ask("select count(*) from log where owner = 'admin' and event = 'create_backfill'"),
        log=installation.service_log("api-server"),
    )


def services(installation):
    return Services(installation.settings, Ports(installation.airflow_port, installation.mlflow_port))


def server(installation, name):
    """The process that does the work of a server, below the one that keeps it running; None between two of them."""
    [service] = [service for service in services(installation).all if service.name == name]
    return next((each for each in service.process().children() if each.status() != psutil.STATUS_ZOMBIE), None)


def test_two_backfills_at_once_end_well(installation, ended):
    assert ended.codes == [0, 0], (installation.folder / "started.log").read_text()


def test_no_task_failed_and_every_day_is_published(ended):
    assert (ended.failed, ended.retried) == ([], [])
    stages = ("features", "ingest", "score", "train")
    assert ended.runs == [(f"{pipeline}.{stage}", COUNT) for pipeline in PIPELINES for stage in stages]


def test_no_request_failed(ended, record_property):
    answers = re.findall(r"duration_us=(\d+).* status_code=(\d+)", ended.log)
    record_property("requests", len(answers))
    record_property("the longest, in seconds", max(int(duration) for duration, _ in answers) / 1e6)
    assert [status for _, status in answers if status >= "500"] == []
    assert "database is locked" not in ended.log


def test_every_change_by_a_person_is_in_the_audit_log(ended):
    assert ended.audited == [(8,)]


def test_a_falsely_failed_task_is_cleared_once(installation, ended):
    """What Airflow does when it cannot note a success: the work is published, its record kept, the task failed."""
    falsify = (
        "update task_instance set state = 'failed' where dag_id = 'north_toys.features' and task_id = 'compute' "
        "and run_id in (select run_id from dag_run where logical_date like '2024-03-02%')",
        "update task_instance set state = 'upstream_failed' where dag_id = 'north_toys.features' and task_id = "
        "'materialize' and run_id in (select run_id from dag_run where logical_date like '2024-03-02%')",
        "update dag_run set state = 'failed' where dag_id = 'north_toys.features' and logical_date like '2024-03-02%'",
    )
    installation.change_database(*falsify)
    done = installation.airloom("backfill", "north_toys", *DAYS, "--stage", "features")
    assert "features: Airflow had recorded finished tasks as failed; cleared 2024-03-02 compute" in done.stdout
    assert installation.ask("select count(*) from dag_run where state != 'success'") == [(0,)]


@pytest.mark.parametrize("name", ["api-server", "scheduler"])
def test_a_server_that_dies_is_started_again(installation, ended, name):
    killed = server(installation, name)
    killed.kill()
    deadline = time.monotonic() + 900
    while server(installation, name) in (None, killed) or services(installation).unhealthy():
        assert time.monotonic() < deadline
        time.sleep(0.5)
    assert "it is started again" in installation.service_log(name)
    assert len(services(installation).running()) == 5


def test_a_person_moves_the_champion_after_that(installation, ended):
    installation.airloom("pin", PIPELINES[0], "--reason", "a new API server and a new scheduler")
    assert installation.ask("select state from dag_run where dag_id = 'north_toys.champion'") == [("success",)]
