"""The stack of docker-compose.yaml: the same chain through Celery, on PostgreSQL, Redis and S3."""

import json
import signal
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest
import requests

from airloom.stores.ledger import Ledger
from airloom.stores.models import ModelRegistry
from tests.system.diagnosis import ROUNDS, diagnose
from tests.system.installation import PIPELINE
from tests.system.progress import wait_until_running
from tests.system.published import published
from tests.system.topology import FIRST, FIRST_KILLED, LAST, LAST_KILLED, ORDER, running_topology

pytestmark = [pytest.mark.system, pytest.mark.timeout(1800)]

#: A task that is under way, one in every stage, and the service that runs it.
MOMENTS = (("validate", "worker"), ("materialize", "worker"), ("fit", "worker-training"), ("score", "worker"))


@pytest.fixture(scope="module")
def stack(embedded, tmp_path_factory):
    """The same project on servers, which has run the same days."""
    with running_topology(tmp_path_factory.mktemp("stack"), embedded.settings.project) as topology:
        topology.start()
        topology.backfill(FIRST, LAST)
        yield topology


@pytest.fixture
def settings(stack, monkeypatch):
    """Where the stack keeps what it makes, as this process reaches it."""
    return stack.settings(monkeypatch)


def test_every_service_passes_its_own_health_check(stack):
    assert [service for service in stack.running if not stack.is_healthy(service)] == []
    assert set(stack.running) == {service for service in ORDER if service != "airflow-init"}


def test_the_doctor_finds_nothing_wrong(stack):
    told = stack.run("demo", "airloom", "doctor").stdout
    assert "0 wrong" in told
    assert "queue training: training@" in told


def test_the_same_is_published_as_by_one_machine_alone(stack, settings, embedded):
    there = published(settings, PIPELINE, FIRST, LAST)
    here = published(embedded.settings, PIPELINE, FIRST, LAST)
    assert there["lake"] == here["lake"]
    assert there["champions"] == here["champions"]
    assert there["predictions"] == here["predictions"]


def test_trainings_run_on_workers_of_their_own(stack):
    ran = stack.ask("select distinct dag_id, queue from task_instance where state = 'success' and queue is not null")
    assert set(ran) == {
        (f"{PIPELINE}.{stage}", "training" if stage == "train" else "default")
        for stage in ("ingest", "features", "train", "score")
    }


def test_workers_hold_what_tasks_need_and_replace_processes_that_have_run_many(stack):
    for worker in ("worker", "worker-training"):
        loaded = {part.path for part in psutil.Process(stack.running[worker].pid).memory_maps()}
        assert any("libtorch" in path for path in loaded), worker
    command = ("celery", "--app", "airflow.providers.celery.executors.celery_executor.app", "inspect", "stats")
    told = json.loads(stack.run("worker", *command, "--json").stdout)
    assert {name.partition("@")[0]: each["pool"]["max-tasks-per-child"] for name, each in told.items()} == {
        "default": 100,
        "training": 100,
    }


def test_flower_lets_in_whoever_has_the_password_and_nobody_else(stack):
    with stack.besides("flower"):
        address = f"http://127.0.0.1:{stack.own['flower']['AIRFLOW__CELERY__FLOWER_PORT']}/"
        assert requests.get(address, timeout=60).status_code == 401
        login = ("admin", stack.variables["AIRLOOM_ADMIN_PASSWORD"])
        assert "Workers" in requests.get(address, auth=login, timeout=60).text


def test_initialising_again_changes_nothing(stack):
    again = stack.run("airflow-init", *stack.command("airflow-init")[3:], "--json")
    assert [part for part in json.loads(again.stdout) if part["changed"]] == []


@pytest.fixture(scope="module")
def diagnoses(stack):
    """What the doctor has said of each round of faults; all of them are mended."""
    return {name: diagnose(stack, faults) for name, faults in ROUNDS.items()}


@pytest.mark.parametrize(
    ("name", "fault"),
    [pytest.param(name, fault, id=fault.name) for name, faults in ROUNDS.items() for fault in faults],
)
def test_the_doctor_tells_each_fault_and_what_mends_it(diagnoses, name, fault):
    for said in fault.said:
        found = diagnoses[name].wrong[said.check]
        assert said.found in found["said"]
        assert said.do in found["do"]


@pytest.mark.parametrize("name", ROUNDS)
def test_the_doctor_is_red_for_what_is_wrong_and_for_nothing_else(stack, diagnoses, name):
    diagnosis = diagnoses[name]
    assert diagnosis.wrong.keys() == {said.check for fault in ROUNDS[name] for said in fault.said}
    assert diagnosis.code == 5
    told = diagnosis.output + diagnosis.errors
    assert "planted" not in told
    assert [name for name, value in stack.variables.items() if value in told and name != "COMPOSE_PROFILES"] == []


def test_the_doctor_finds_nothing_wrong_once_everything_is_mended(stack, diagnoses):
    assert "0 wrong" in stack.run("demo", "airloom", "doctor").stdout


@pytest.fixture(scope="module")
def survivor(stack):
    """The stack after more days, while which everything was killed at four moments each, and PostgreSQL restarted."""
    with stack.restarting(), ThreadPoolExecutor(1) as other:
        days = other.submit(_backfill, stack)
        for task, worker in MOMENTS:
            wait_until_running(stack, task, FIRST_KILLED, days)
            for service in (worker, "mlflow", "airflow-scheduler"):
                stack.kill(service)
            stack.redis.kill()
            stack.redis.start()
            if task == "materialize":
                stack.postgres.kill(signal.SIGINT)
                stack.postgres.start()
        done = days.result()
    assert done.returncode == 0, done.stdout + done.stderr
    return stack


def _backfill(stack):
    """Run the days, and again as a person would whose command was told that a server is away."""
    for _ in range(3):
        done = stack.backfill(FIRST_KILLED, LAST_KILLED, "--reprocess", "failed", check=False)
        if done.returncode == 0:
            break
    return done


def test_what_is_published_is_the_same_whatever_was_killed_meanwhile(survivor, settings, embedded):
    there = published(settings, PIPELINE, FIRST, LAST_KILLED)
    here = published(embedded.settings, PIPELINE, FIRST, LAST_KILLED)
    assert there["lake"] == here["lake"]
    assert there["champions"] == here["champions"]
    assert there["predictions"] == here["predictions"]
    assert there["online"] == here["online"]


def test_after_every_kill_the_champion_is_whole(survivor, settings):
    head = Ledger(settings.state_url).head(PIPELINE)
    registry = ModelRegistry(settings, PIPELINE)
    assert registry.alias() == head.version
    registry.verified_files(head.version)
    epochs = [row.epoch for row in Ledger(settings.state_url).history(PIPELINE)]
    assert epochs == list(range(1, len(epochs) + 1))
