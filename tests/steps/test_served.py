"""MLflow behind a server of its own, which keeps the files of models, is restarted, forgets answers and goes away."""

import dataclasses
import os
import signal
import threading

import numpy as np
import pytest
from sqlalchemy import inspect

from airloom.core.errors import GateError, SetupError
from airloom.steps.prove import prove_version
from airloom.stores.models import ModelRegistry
from airloom.stores.runs import RunKey, TrainingRuns
from airloom.stores.state import state_engine
from airloom.stores.tracking import open_client
from tests.servers.forgetful import forgetful
from tests.servers.mlflow_server import running_mlflow
from tests.servers.process import free_port
from tests.worlds import registered
from tests.worlds.installation import settings_at
from tests.worlds.nights import COLUMNS, NIGHT, example_rows, pipeline_with

ROWS = example_rows()[COLUMNS.all]
PIPELINE = registered.PIPELINE


@pytest.fixture(scope="module")
def server(tmp_path_factory, postgres):
    with running_mlflow(tmp_path_factory.mktemp("mlflow"), postgres.create("mlflow_server")) as server:
        yield server


@pytest.fixture
def own(tmp_path):
    """A server of a test that ends it."""
    with running_mlflow(tmp_path, f"sqlite:///{tmp_path}/mlflow.db") as server:
        yield server


@pytest.fixture
def settings(server, tmp_path):
    return served(server.url, tmp_path)


def served(url, folder):
    return dataclasses.replace(settings_at(folder), tracking_url=url)


def versions(settings):
    return sorted(int(each.version) for each in open_client(settings).search_model_versions(f"name = '{PIPELINE}'"))


def impatient(monkeypatch):
    for name, value in {"MAX_RETRIES": 1, "BACKOFF_FACTOR": 0, "BACKOFF_JITTER": 0, "TIMEOUT": 2}.items():
        monkeypatch.setenv(f"MLFLOW_HTTP_REQUEST_{name}", str(value))


def test_a_model_is_trained_kept_registered_and_loaded_by_way_of_a_server(settings):
    version = registered.register(settings)
    registry = ModelRegistry(settings, PIPELINE)
    expected = registered.MODEL.predict(ROWS)
    np.testing.assert_array_equal(expected, registry.load(version).predict(ROWS))
    info, (folder, manifest) = registry.version_info(version), registry.verified_files(version)
    assert open_client(settings).get_run(info.run_id).data.tags["airloom.model_source"].startswith("mlflow-artifacts:/")
    assert {file for file in manifest["files"] if not (folder / file).is_file()} == set()
    registry.set_alias("champion", version)
    assert registry.alias() == version
    registry.note_epoch(3)
    assert registry.noted_epoch() == 3
    assert registry.register(info.run_id, {}) == version
    assert registry.is_intact(info.run_id)


def test_nothing_of_mlflow_is_in_the_state_database_or_on_the_machine_of_the_task(settings):
    registered.register(settings)
    assert "experiments" not in inspect(state_engine(settings.state_url)).get_table_names()
    assert not settings.artifacts.exists()


def test_files_that_were_fetched_long_ago_are_removed(settings):
    registry, version = ModelRegistry(settings, PIPELINE), registered.register(settings)
    old, _ = registry.verified_files(version)
    download = next(each for each in (settings.var / "downloads").iterdir() if each in old.parents or each == old)
    os.utime(download, (0, 0))
    recent, _ = registry.verified_files(version)
    assert (old.exists(), registry.verified_files(version)[0] == recent, recent.exists()) == (False, False, True)


def test_what_a_run_keeps_is_read_back(settings):
    runs = TrainingRuns(settings, PIPELINE)
    with runs.running(RunKey(NIGHT, "rate", "another", "p", "s"), {}) as log:
        runs.log_facts(log.run_id, "facts", {"a": 1})
        runs.log_params(log.run_id, {"depth": 3})
        log.log({"loss": 0.5}, 1)
    assert runs.facts(log.run_id, "facts") == {"a": 1}
    assert (runs.params(log.run_id), runs.metrics(log.run_id)) == ({"depth": "3"}, {"loss": 0.5})


def test_files_that_are_gone_are_told_apart_from_a_server_that_is_gone(own, tmp_path, monkeypatch):
    settings = served(own.url, tmp_path)
    registry, version = ModelRegistry(settings, PIPELINE), registered.register(settings)
    run_id = registry.version_info(version).run_id
    kept = next((tmp_path / "kept").rglob("manifest.json")).parent
    kept.rename(tmp_path / "away")
    with pytest.raises(GateError):
        registry.load(version)
    assert not registry.is_intact(run_id)
    (tmp_path / "away").rename(kept)
    impatient(monkeypatch)
    own.kill()
    pipeline = pipeline_with()
    asks = (
        lambda: prove_version(pipeline, version, settings),
        lambda: registry.load(version),
        lambda: registry.is_intact(run_id),
        lambda: registered.register(settings),
    )
    for ask in asks:
        with pytest.raises(SetupError, match="MLflow server does not answer") as refused:
            ask()
        assert refused.value.where == own.url
        assert "MLFLOW_TRACKING_USERNAME" in refused.value.do


@pytest.mark.parametrize(
    "place",
    [
        "save.after_entry",
        pytest.param("run.after_create", marks=pytest.mark.long),
        pytest.param("register.before_version", marks=pytest.mark.long),
    ],
)
def test_a_server_that_is_killed_in_the_middle_and_started_again_is_waited_for(own, place, tmp_path, monkeypatch):
    settings, restarts = served(own.url, tmp_path), []
    first = registered.register(settings)

    def restart(passed):
        if passed == place:
            own.kill()
            restarts.append(threading.Timer(3, own.start))
            restarts[0].start()

    monkeypatch.setattr("airloom.stores.runs.failpoint", restart)
    monkeypatch.setattr("airloom.stores.models.failpoint", restart)
    second = registered.register(settings, "another night")
    restarts[0].join()
    assert versions(settings) == [first, second]
    assert ModelRegistry(settings, PIPELINE).load(second)


@pytest.mark.parametrize(
    "lost",
    ["experiments/create", "runs/create", "logged-models", "registered-models/create", "model-versions/create"],
)
def test_an_answer_that_gets_lost_makes_nothing_twice(server, lost, tmp_path, monkeypatch):
    monkeypatch.setattr(registered, "PIPELINE", f"lost-{lost.replace('/', '-')}")
    with forgetful(server.port) as proxy:
        settings = served(f"http://127.0.0.1:{proxy.server_port}", tmp_path)
        proxy.forgets.append(lost)
        version = registered.register(settings)
        assert proxy.forgets == []
        client, name = open_client(settings), registered.PIPELINE
        assert [each.version for each in client.search_model_versions(f"name = '{name}'")] == [str(version)]
        [experiment] = [each.experiment_id for each in client.search_experiments() if each.name == name]
        states = sorted(run.info.status for run in client.search_runs([experiment]))
        assert states in (["FINISHED"], ["FINISHED", "KILLED"])
        assert ModelRegistry(settings, name).load(version)


def test_a_server_that_accepts_and_never_answers_is_given_up(tmp_path, monkeypatch):
    impatient(monkeypatch)
    with running_mlflow(tmp_path, f"sqlite:///{tmp_path}/mlflow.db") as server:
        settings = served(server.url, tmp_path)
        open_client(settings)
        os.killpg(server.process.pid, signal.SIGSTOP)
        with pytest.raises(SetupError, match="does not answer") as refused:
            ModelRegistry(settings, PIPELINE).alias()
        assert "timeout" in refused.value.found


def test_an_address_at_which_nobody_answers_is_told(tmp_path, monkeypatch):
    impatient(monkeypatch)
    with pytest.raises(SetupError, match="does not answer"):
        open_client(served(f"http://127.0.0.1:{free_port()}", tmp_path))


def test_an_address_with_a_password_is_refused_without_telling_it(tmp_path):
    with pytest.raises(SetupError, match="must not hold who asks") as refused:
        open_client(served("http://ann:planted@127.0.0.1:5000", tmp_path))
    assert "planted" not in str(refused.value)
