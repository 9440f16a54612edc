"""The stack of docker-compose.yaml: the same chain through Celery, on PostgreSQL, Redis and S3."""

from datetime import date

import pytest
from installation import PIPELINE, Installation
from published import published
from topology import ORDER, running_topology

pytestmark = pytest.mark.system

FIRST, LAST = date(2013, 1, 1), date(2013, 1, 10)


@pytest.fixture(scope="module")
def embedded(tmp_path_factory):
    """What one machine alone makes of the days."""
    installation = Installation.create(tmp_path_factory.mktemp("embedded"))
    try:
        installation.airloom("demo", "--from", str(FIRST), "--to", str(LAST))
        yield installation
    finally:
        installation.airloom("down")


@pytest.fixture(scope="module")
def stack(embedded, tmp_path_factory):
    """The same project on servers, which has run the same days."""
    embedded.airloom("down")
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


def test_the_same_is_published_as_by_one_machine_alone(stack, settings, embedded):
    there = published(settings, PIPELINE, FIRST, LAST)
    here = published(embedded.settings, PIPELINE, FIRST, LAST)
    assert there["lake"] == here["lake"]
    assert there["champions"] == here["champions"]
    assert there["predictions"] == here["predictions"]
    assert there["online"] == here["online"]


def test_trainings_run_on_workers_of_their_own(stack):
    ran = stack.ask("select distinct dag_id, queue from task_instance where state = 'success' and queue is not null")
    assert set(ran) == {
        (f"{PIPELINE}.{stage}", "training" if stage == "train" else "default")
        for stage in ("ingest", "features", "train", "score")
    }


def test_initialising_again_changes_nothing(stack):
    again = stack.run("airflow-init")
    assert "created" not in again.stdout
