"""The stack of docker-compose.yaml: the same chain through Celery, on PostgreSQL, Redis and S3, killed on the way."""

import json
import signal
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import psutil
import pytest
import requests

from airloom.stores.ledger import Ledger
from airloom.stores.models import ModelRegistry
from tests.system.diagnosis import ROUNDS, diagnose
from tests.system.installation import PIPELINE
from tests.system.progress import wait_until_running
from tests.system.published import published
from tests.system.topology import (
    FIRST,
    FIRST_CALM,
    FIRST_KILLED,
    LAST,
    LAST_CALM,
    LAST_KILLED,
    ORDER,
    running_topology,
)

pytestmark = [pytest.mark.system, pytest.mark.timeout(3600)]

#: What is killed while a task is under way.
MOMENTS = (("compute", "worker"), ("fit", "airflow-scheduler"))
#: A task that is under way, one in every stage, and the service that runs it: then everything is killed.
ALL_MOMENTS = (("validate", "worker"), ("materialize", "worker"), ("fit", "worker-training"), ("score", "worker"))
#: The doctor looks at faults in every group of its checks; the other rounds are of the long form.
ROUND = "what people change"


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    with running_topology(tmp_path_factory.mktemp("stack")) as topology:
        topology.start()
        yield topology


@pytest.fixture(scope="module")
def survived(stack):
    """What the stack has published of one machine's days, while a worker and the scheduler were killed."""
    with stack.restarting(), ThreadPoolExecutor(1) as other:
        days = other.submit(backfill, stack, FIRST, LAST)
        for task, service in MOMENTS:
            wait_until_running(stack, task, FIRST, days)
            stack.kill(service)
        done = days.result()
    assert done.returncode == 0, done.stdout + done.stderr
    with stack.as_worker() as settings:
        return published(settings, PIPELINE, FIRST, LAST)


@pytest.fixture(scope="module")
def reference(survived, request):
    """What one machine has published, which another worker may run meanwhile."""
    return request.getfixturevalue("ran").published


def backfill(stack, first, last):
    """Run days, and again as a person would whose command was told that a server is away."""
    for _ in range(3):
        done = stack.backfill(first, last, "--reprocess", "failed", check=False)
        if done.returncode == 0:
            break
    return done


@pytest.mark.parametrize("what", ["lake", "champions", "predictions", "online"])
def test_the_same_is_published_as_by_one_machine_whatever_was_killed_meanwhile(survived, reference, what):
    assert survived[what] == reference[what]


def test_every_service_passes_its_own_health_check(stack, survived):
    stack.wait_until_whole()
    assert set(stack.running) == {service for service in ORDER if service != "airflow-init"}


def test_the_doctor_finds_nothing_wrong(stack, survived):
    told = stack.run("demo", "airloom", "doctor").stdout
    assert "0 wrong" in told
    assert "queue training: training@" in told


def test_trainings_run_on_workers_of_their_own(stack, survived):
    ran = stack.ask("select distinct dag_id, queue from task_instance where state = 'success' and queue is not null")
    assert set(ran) == {
        (f"{PIPELINE}.{stage}", "training" if stage == "train" else "default")
        for stage in ("ingest", "features", "train", "score")
    }


def test_workers_hold_what_tasks_need_and_replace_processes_that_have_run_many(stack, survived):
    for worker in ("worker", "worker-training"):
        loaded = {part.path for part in psutil.Process(stack.running[worker].pid).memory_maps()}
        assert any("libtorch" in path for path in loaded), worker
    command = ("celery", "--app", "airflow.providers.celery.executors.celery_executor.app", "inspect", "stats")
    told = json.loads(stack.run("worker", *command, "--json").stdout)
    assert {name.partition("@")[0]: each["pool"]["max-tasks-per-child"] for name, each in told.items()} == {
        "default": 100,
        "training": 100,
    }


def test_flower_lets_in_whoever_has_the_password_and_nobody_else(stack, survived):
    with stack.besides("flower"):
        address = f"http://127.0.0.1:{stack.own['flower']['AIRFLOW__CELERY__FLOWER_PORT']}/"
        assert requests.get(address, timeout=60).status_code == 401
        login = ("admin", stack.variables["AIRLOOM_ADMIN_PASSWORD"])
        assert "Workers" in requests.get(address, auth=login, timeout=60).text


def test_initialising_again_changes_nothing(stack, survived):
    again = stack.run("airflow-init", *stack.command("airflow-init")[3:], "--json")
    assert [part for part in json.loads(again.stdout) if part["changed"]] == []


def test_after_a_kill_the_champion_is_whole(stack, survived):
    require_whole_champion(stack)


def require_whole_champion(stack):
    with stack.as_worker() as settings:
        history = Ledger(settings.state_url).history(PIPELINE)
        registry = ModelRegistry(settings, PIPELINE)
        assert registry.alias() == history[-1].version
        registry.verified_files(history[-1].version)
        assert [row.epoch for row in history] == list(range(1, len(history) + 1))


@pytest.fixture(scope="module")
def diagnosis_of(stack, survived):
    """What the doctor says of a round of faults, which are mended afterwards."""
    return cache(lambda name: diagnose(stack, ROUNDS[name]))


def long_but(name):
    return () if name == ROUND else pytest.mark.long


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        pytest.param(name, fault, id=fault.name, marks=long_but(name))
        for name, faults in ROUNDS.items()
        for fault in faults
    ],
)
def test_the_doctor_tells_each_fault_and_what_mends_it(diagnosis_of, name, fault):
    for said in fault.said:
        found = diagnosis_of(name).wrong[said.check]
        assert said.found in found["said"]
        assert said.do in found["do"]


@pytest.mark.parametrize("name", [pytest.param(name, marks=long_but(name)) for name in ROUNDS])
def test_the_doctor_is_red_for_what_is_wrong_and_for_nothing_else(stack, diagnosis_of, name):
    diagnosis = diagnosis_of(name)
    assert diagnosis.wrong.keys() == {said.check for fault in ROUNDS[name] for said in fault.said}
    assert diagnosis.code == 5
    told = diagnosis.output + diagnosis.errors
    assert "planted" not in told
    assert [name for name, value in stack.variables.items() if value in told and name != "COMPOSE_PROFILES"] == []


@pytest.mark.parametrize("name", [pytest.param(name, marks=long_but(name)) for name in ROUNDS])
def test_the_doctor_finds_nothing_wrong_once_everything_is_mended(stack, diagnosis_of, name):
    diagnosis_of(name)
    assert "0 wrong" in stack.run("demo", "airloom", "doctor").stdout


@pytest.fixture(scope="module")
def survived_everything(stack, survived):
    """What the stack has published after more days, while which everything was killed at four moments each."""
    stack.backfill(FIRST_CALM, LAST_CALM)
    with stack.restarting(), ThreadPoolExecutor(1) as other:
        days = other.submit(backfill, stack, FIRST_KILLED, LAST_KILLED)
        for task, worker in ALL_MOMENTS:
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
    with stack.as_worker() as settings:
        return published(settings, PIPELINE, FIRST, LAST_KILLED)


@pytest.mark.long
@pytest.mark.parametrize("what", ["lake", "champions", "predictions", "online"])
def test_the_same_is_published_though_everything_was_killed_meanwhile(survived_everything, embedded, what):
    assert survived_everything[what] == published(embedded.settings, PIPELINE, FIRST, LAST_KILLED)[what]


@pytest.mark.long
def test_after_every_kill_the_champion_is_whole(stack, survived_everything):
    require_whole_champion(stack)
