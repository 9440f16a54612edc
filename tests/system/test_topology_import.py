"""An installation of one machine moves to the stack of docker-compose.yaml, and goes on there."""

import signal
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from airloom.stores.ledger import Ledger
from airloom.stores.models import ModelRegistry
from airloom.stores.tracking import experiment_id, open_client
from tests.system.installation import PIPELINE
from tests.system.progress import wait_until_running
from tests.system.published import published
from tests.system.topology import FIRST, LAST_KILLED, ORDER, running_topology

pytestmark = [pytest.mark.system, pytest.mark.long, pytest.mark.timeout(3600)]


@pytest.fixture(scope="module")
def moved(embedded, tmp_path_factory):
    """The stack, into which everything was imported before its first run."""
    with running_topology(tmp_path_factory.mktemp("moved")) as topology:
        topology.start("mlflow", "airflow-init")
        topology.import_from(embedded.settings.var)
        topology.start(*ORDER[2:])
        yield topology


def known(settings):
    """What must not become more when something is done again."""
    ledger, experiments = Ledger(settings.state_url), [experiment_id(settings, PIPELINE)]
    runs = {run.info.run_id for run in open_client(settings).search_runs(experiments)}
    return ledger.history(PIPELINE), ledger.verdicts(PIPELINE), runs, ModelRegistry(settings, PIPELINE).alias()


def test_everything_is_there_and_a_day_that_is_run_again_changes_nothing(moved, embedded):
    here, before = published(embedded.settings, PIPELINE, FIRST, LAST_KILLED), known(embedded.settings)
    with moved.as_worker() as settings:
        assert published(settings, PIPELINE, FIRST, LAST_KILLED) == here
        assert known(settings) == before
        moved.backfill(LAST_KILLED, LAST_KILLED)
        assert published(settings, PIPELINE, FIRST, LAST_KILLED) == here
        assert known(settings) == before


def test_importing_again_changes_nothing(moved, embedded):
    assert "was imported before" in moved.import_from(embedded.settings.var).stdout


def test_the_lineage_of_before_answers_questions_of_now(moved):
    told = moved.run("demo", "airloom", "trace", PIPELINE, str(LAST_KILLED)).stdout
    assert "raw.parcels" in told


def test_a_worker_that_is_told_to_stop_ends_its_training_first(moved):
    day = LAST_KILLED + timedelta(days=1)
    with ThreadPoolExecutor(1) as other:
        days = other.submit(moved.backfill, day, day)
        under_way = wait_until_running(moved, "fit", day, days)
        worker = moved.running["worker-training"]
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(900) == 0
        ended = moved.ask("select run_id, map_index, try_number from task_instance where state = 'success'")
        assert set(under_way) <= set(ended)
        moved.spawn("worker-training")
        days.result()
