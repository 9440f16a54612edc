import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date

import pandas as pd
import pytest

from airloom.core.errors import DataError, Unavailable
from airloom.core.settings import Settings
from airloom.stores.runs import RunKey, TrainingRuns
from airloom.stores.tracking import experiment_id, open_client
from tests.servers.postgres import PASSWORD, running_postgres

KEY = RunKey(date(2024, 1, 10), "boosting", "training", "pipeline", "source")


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    folder = tmp_path_factory.mktemp("var")
    return Settings(project=folder, var=folder, state_url=f"sqlite:///{folder}/state/airloom.db")


@pytest.fixture
def runs(settings, request):
    return TrainingRuns(settings, request.node.name)


def status(runs, run_id):
    return open_client(runs.settings).get_run(run_id).info.status


def test_a_finished_run_is_found_by_what_it_trained(runs):
    assert runs.finished(KEY) is None
    with runs.running(KEY, {"airloom.code": "abc"}) as log:
        assert runs.finished(KEY) is None
    assert runs.finished(KEY).info.run_id == log.run_id
    for other in ({"candidate": "other"}, {"training_digest": "x"}, {"pipeline_digest": "x"}, {"source_digest": "x"}):
        assert runs.finished(replace(KEY, **other)) is None


def test_what_is_raised_ends_the_run_as_failed_and_goes_on(runs):
    with pytest.raises(KeyboardInterrupt), runs.running(KEY, {}) as log:
        raise KeyboardInterrupt
    assert status(runs, log.run_id) == "FAILED"
    assert runs.finished(KEY) is None


def test_a_run_that_a_killed_attempt_left_is_ended(runs, settings):
    client = open_client(settings)
    tags = {"airloom.pipeline": runs.pipeline, **KEY.tags}
    left = client.create_run(experiment_id(settings, runs.pipeline), tags=tags).info.run_id
    other = client.create_run(experiment_id(settings, runs.pipeline), tags={**tags, "airloom.candidate": "other"})
    with runs.running(replace(KEY, training_digest="newer"), {}):
        pass
    assert status(runs, left) == "KILLED"
    assert status(runs, other.info.run_id) == "RUNNING"


def test_values_are_written_in_batches_with_their_steps(runs):
    with runs.running(KEY, {}) as log:
        for step in range(1100):
            log.log({"train.loss": 1 / (step + 1)}, step)
    history = open_client(runs.settings).get_metric_history(log.run_id, "train.loss")
    assert [each.value for each in history[:2]] == [1.0, 0.5]
    assert list(range(1100)) == [each.step for each in history]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")], ids=str)
def test_a_loss_that_is_not_finite_stops_the_training(settings, value):
    runs = TrainingRuns(settings, "not-finite")
    with pytest.raises(DataError, match=r"train\.loss is not a finite number"), runs.running(KEY, {}) as log:
        log.log({"train.loss": value}, step=3)
    assert status(runs, log.run_id) == "FAILED"


def test_a_deleted_experiment_is_restored(runs, settings):
    identifier = experiment_id(settings, runs.pipeline)
    open_client(settings).delete_experiment(identifier)
    assert experiment_id(settings, runs.pipeline) == identifier
    with runs.running(KEY, {}) as log:
        pass
    assert runs.finished(KEY).info.run_id == log.run_id


# These are threads, which share one list of what to warn of; tasks are processes.
@pytest.mark.filterwarnings("ignore:The specified dataset source")
def test_candidates_side_by_side_may_log_the_same_dataset(runs, tmp_path):
    rows = pd.DataFrame({"distance": [1.0, 2.0]})
    together = threading.Barrier(8)

    def train(candidate):
        with runs.running(replace(KEY, candidate=candidate), {}) as log:
            together.wait()
            runs.log_dataset(log.run_id, rows, "digest", tmp_path / "training.parquet")
        return log.run_id

    with ThreadPoolExecutor(8) as pool:
        ids = list(pool.map(train, "abcdefgh"))
    logged = [open_client(runs.settings).get_run(run_id).inputs.dataset_inputs for run_id in ids]
    assert [[each.dataset.digest for each in inputs] for inputs in logged] == [["digest"]] * len(ids)


def test_a_server_of_the_state_that_is_started_again_is_told_apart_from_what_is_not_there(tmp_path):
    with running_postgres() as server:
        runs = TrainingRuns(Settings(project=tmp_path, var=tmp_path, state_url=server.create("again")), "p")
        with runs.running(KEY, {}) as log:
            runs.log_params(log.run_id, {"depth": 3})
        server.kill(signal.SIGINT)
        asks = runs.params, runs.metrics, lambda run_id: runs.facts(run_id, "facts"), lambda _: runs.finished(KEY)
        for ask in asks:
            with pytest.raises(Unavailable) as told:
                ask(log.run_id)
            assert PASSWORD not in str(told.value)
        server.start()
        assert runs.params(log.run_id) == {"depth": "3"}
        with pytest.raises(DataError, match="not there any more"):
            runs.params("0" * 32)
