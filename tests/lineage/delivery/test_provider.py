"""Airflow's OpenLineage provider with the transport that the distribution configures: in tasks and in the scheduler."""

import json
import os
from pathlib import Path

import pytest
from airflow.providers.openlineage.plugins.adapter import OpenLineageAdapter
from airflow.providers.openlineage.plugins.listener import OpenLineageListener, _run_adapter_method
from openlineage.client.transport import KafkaConfig

from airloom.core.settings import Settings
from airloom.launcher.environment import environment
from airloom.launcher.ports import Ports
from airloom.lineage.delivery.unsent import Unsent
from tests.lineage.delivery.lineage_events import event, run_id

PROJECT = Path(__file__).parents[3]


@pytest.fixture
def settings(tmp_path):
    return Settings(project=tmp_path, var=tmp_path / "var", state_url="sqlite:////nowhere/state.db")


@pytest.fixture
def configure(settings, monkeypatch):
    """Set Airflow's lineage to what an installation with this backend has."""
    settings.delivery.mkdir(parents=True)

    def set_variables(url, **others):
        for name, value in {"URL": url, **others}.items():
            monkeypatch.setenv(f"AIRLOOM_LINEAGE_{name}", value)
        for name, value in environment(settings, Ports(airflow=18081, mlflow=15001)).items():
            if "__OPENLINEAGE__" in name:
                monkeypatch.setenv(name, value)

    return set_variables


def runs(file: Path):
    return [json.loads(line)["run"]["runId"] for line in file.read_text().splitlines()]


def unsent(settings):
    return len(Unsent(settings.delivery).paths())


def test_an_event_is_in_the_file_and_at_the_backend(receiver, settings, configure):
    configure(receiver.url, API_KEY="hush-hush")
    OpenLineageAdapter().emit(event())
    assert runs(settings.lineage) == [run_id(1)]
    assert receiver.statuses() == [("START", run_id(1))]
    assert receiver.keys == ["Bearer hush-hush"]
    assert unsent(settings) == 0


def test_the_key_may_come_from_an_airflow_connection(receiver, configure, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_MARQUEZ", '{"conn_type": "http", "password": "hush-hush"}')
    configure(receiver.url, CONNECTION="marquez")
    OpenLineageAdapter().emit(event())
    assert receiver.keys == ["Bearer hush-hush"]


@pytest.mark.parametrize("fault", ["hang", "drip"])
def test_f37_a_task_goes_on_while_the_backend_hangs(receiver, settings, configure, fault):
    receiver.behaviour = fault
    configure(receiver.url, TIMEOUT="0.3")
    adapter = OpenLineageAdapter()
    OpenLineageListener()._execute(lambda: adapter.emit(event()), "on_running", use_fork=True)
    assert not receiver.released.is_set()
    assert (runs(settings.lineage), unsent(settings)) == ([run_id(1)], 1)


def test_f37_the_schedulers_events_wait_once_for_a_backend_that_hangs(receiver, settings, configure):
    receiver.behaviour = "hang"
    configure(receiver.url, TIMEOUT="0.3")
    listener = OpenLineageListener()
    futures = [listener.submit_callable(_run_adapter_method, "emit", event(number)) for number in range(20)]
    for future in futures:
        future.result()
    listener.executor.shutdown()
    assert not receiver.released.is_set()
    assert receiver.requests <= 1
    assert (len(runs(settings.lineage)), unsent(settings)) == (20, 20)


def test_the_configuration_of_the_docs_is_one(receiver, settings, configure, monkeypatch):
    text = (PROJECT / "docs" / "lineage-backends.md").read_text().split("```json\n")[1].split("```")[0]
    text = text.replace("/srv/airloom/var", str(settings.var)).replace("http://marquez:5000", receiver.url)
    own = json.loads(text)
    kafka = own["transport"]["transports"].pop()
    assert KafkaConfig.from_dict(kafka).config == {"bootstrap.servers": "kafka:9092"}
    configure(receiver.url)
    monkeypatch.setenv("AIRFLOW__OPENLINEAGE__TRANSPORT", json.dumps(own))
    OpenLineageAdapter().emit(event())
    assert receiver.statuses() == [("START", run_id(1))]
    assert runs(settings.lineage) == [run_id(1)]


def test_variables_of_the_client_add_no_other_transport(receiver, settings, configure, monkeypatch):
    """The client would send by its own HTTP transport besides, which nothing bounds."""
    monkeypatch.setenv("OPENLINEAGE_URL", receiver.url)
    configure(receiver.url)
    with monkeypatch.context() as changed:
        # The client sets variables from this one.
        changed.setattr(os, "environ", dict(os.environ))
        OpenLineageAdapter().emit(event())
    assert receiver.statuses() == [("START", run_id(1))]


def test_a_folder_that_cannot_be_written_fails_nothing(receiver, settings, configure):
    configure(receiver.url)
    settings.delivery.rmdir()
    settings.delivery.touch()
    OpenLineageAdapter().emit(event())
    assert receiver.statuses() == [("START", run_id(1))]
