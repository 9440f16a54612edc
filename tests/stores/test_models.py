import json
import multiprocessing
import os
import re
import subprocess
import sys
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from airloom.core.errors import DataError, GateError
from airloom.flavours import estimator_files, network_files
from airloom.stores import model_files
from airloom.stores.models import ModelRegistry
from airloom.stores.runs import RunKey, TrainingRuns
from airloom.stores.tracking import experiment_id, open_client
from tests.worlds import models
from tests.worlds.candidates import training_data
from tests.worlds.installation import PROJECT, settings_at

CANDIDATES = {
    "boosting": (models.boosting, {"max_iter": 5}),
    "network": (models.network, {"epochs": 1, "learning_rate": 0.01}),
}
NIGHT = date(2024, 1, 10)


class Silent:
    def log(self, metrics, step):
        pass


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    return settings_at(tmp_path_factory.mktemp("var"))


@pytest.fixture(scope="module")
def frame():
    random = np.random.default_rng(2)
    words = random.choice(["UA", "B6", None], 300)
    return pd.DataFrame({"carrier": words, "distance": random.integers(90, 4000, 300), "rate": random.random(300)})


@pytest.fixture(scope="module")
def trained(frame):
    label = (frame["rate"] > 0.5).to_numpy(dtype=float)
    data = training_data(frame, label, ("carrier",), ("distance", "rate"))
    return {name: fit(data, params, Silent()) for name, (fit, params) in CANDIDATES.items()}


@pytest.fixture
def registry(settings, request):
    return ModelRegistry(settings, request.node.name.replace("[", "-").replace("]", ""))


def finish_run(registry, model, frame, candidate="boosting"):
    runs = TrainingRuns(registry.settings, registry.pipeline)
    with runs.running(RunKey(NIGHT, candidate, "training", "pipeline", "source"), {}) as log:
        registry.save(log.run_id, candidate, model, frame, model.predict(frame))
    return log.run_id


def files_of(registry, run_id) -> Path:
    source = open_client(registry.settings).get_run(run_id).data.tags["airloom.model_source"]
    return Path(source.removeprefix("file://")) / "data" / "model"


@pytest.mark.parametrize("candidate", CANDIDATES)
def test_a_registered_model_predicts_what_the_trained_one_did(registry, trained, frame, candidate):
    run_id = finish_run(registry, trained[candidate], frame, candidate)
    expected = trained[candidate].predict(frame)
    version = registry.register(run_id, {})
    np.testing.assert_array_equal(expected, registry.load(version).predict(frame))
    np.testing.assert_array_equal(expected, registry.load_run(run_id).predict(frame))


@pytest.mark.parametrize("candidate", CANDIDATES)
def test_no_file_of_a_model_is_a_bare_pickle(registry, trained, frame, candidate):
    files = files_of(registry, finish_run(registry, trained[candidate], frame, candidate))
    assert {file.suffix for file in files.iterdir()} <= {".json", ".skops", ".pt", ".parquet", ".npy"}


def test_mlflow_itself_can_read_the_model(registry, trained, frame):
    import mlflow

    source = files_of(registry, finish_run(registry, trained["boosting"], frame)).parents[1]
    loaded = mlflow.pyfunc.load_model(str(source))
    np.testing.assert_array_equal(trained["boosting"].predict(frame), loaded.predict(frame))


def test_the_page_of_a_model_in_mlflow_says_what_it_is_worth_and_which_version_it_is(registry, trained, frame):
    runs = TrainingRuns(registry.settings, registry.pipeline)
    with runs.running(RunKey(NIGHT, "boosting", "training", "pipeline", "source"), {}) as log:
        runs.log_params(log.run_id, {"max_iter": 5, "seed": 7})
        runs.log_dataset(log.run_id, frame, "abc", Path("rows.parquet"))
        registry.save(log.run_id, "boosting", trained["boosting"], frame, trained["boosting"].predict(frame))
    runs.log_metrics(log.run_id, {"holdout.roc_auc": 0.7})
    versions = [registry.register(log.run_id, {}) for _ in range(2)]
    client = open_client(registry.settings)
    shown = client.get_logged_model(client.get_run(log.run_id).data.tags["airloom.model_id"])
    assert shown.params == {"max_iter": "5", "seed": "7"}
    [metric] = shown.metrics
    assert (metric.key, metric.value, metric.dataset_name, metric.dataset_digest) == (
        *("holdout.roc_auc", 0.7),
        *("training", "abc"),
    )
    assert json.loads(shown.tags["mlflow.modelVersions"]) == [{"name": registry.pipeline, "version": versions[0]}]


PLAIN = """
import sys

class Nothing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("airloom", "include", "tests"):
            raise ImportError(name)

sys.meta_path.insert(0, Nothing())
import pandas
rows = pandas.read_parquet(sys.argv[1])
%s
print(*champion.predict(rows).tolist())
"""


def test_the_champion_is_read_by_plain_mlflow_as_the_page_on_models_shows(registry, trained, frame, tmp_path):
    version = registry.register(finish_run(registry, trained["boosting"], frame), {})
    registry.set_alias("champion", version)
    [shown] = re.findall(r"```py\n(.*?)```", (PROJECT / "docs" / "models.md").read_text(), re.DOTALL)
    shown = shown.replace("sqlite:///var/state/airloom.db", registry.settings.tracking_uri)
    frame.to_parquet(tmp_path / "rows.parquet")
    code = PLAIN % shown.replace("flight_delays", registry.pipeline)
    run = subprocess.run(
        [sys.executable, "-I", "-W", "ignore", "-c", code, str(tmp_path / "rows.parquet")],
        capture_output=True,
        text=True,
        timeout=240,
        cwd=tmp_path,
        env={**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true"},
    )
    assert run.returncode == 0, run.stderr
    expected = trained["boosting"].predict(frame)
    np.testing.assert_array_equal(np.array(run.stdout.split(), dtype=float), expected)


def test_mlflow_knows_signature_and_pinned_requirements(registry, trained, frame):
    from mlflow.models import Model

    source = files_of(registry, finish_run(registry, trained["network"], frame)).parents[1]
    assert Model.load(str(source)).signature.inputs.input_names() == list(frame.columns)
    requirements = (source / "requirements.txt").read_text().split()
    assert {"scikit-learn", "torch", "numpy"} <= {line.partition("==")[0] for line in requirements}
    assert all("==" in line and "+" not in line for line in requirements)


@pytest.mark.parametrize("name", ["weights.pt", "config.json", "manifest.json"])
def test_a_changed_file_is_named_and_nothing_is_loaded(registry, trained, frame, name, monkeypatch):
    version = registry.register(run_id := finish_run(registry, trained["network"], frame), {})
    changed = files_of(registry, run_id) / name
    changed.write_bytes(changed.read_bytes() + b" ")
    monkeypatch.setattr(models.NetworkModel, "load", lambda folder: pytest.fail("loaded"))
    with pytest.raises(GateError) as error:
        registry.load(version)
    assert error.value.where == str(changed)


def test_a_removed_file_is_refused(registry, trained, frame):
    version = registry.register(run_id := finish_run(registry, trained["boosting"], frame), {})
    (files_of(registry, run_id) / "trees.skops").unlink()
    with pytest.raises(GateError) as error:
        registry.load(version)
    assert error.value.found == "no such file"


def test_an_added_file_is_refused(registry, trained, frame):
    version = registry.register(run_id := finish_run(registry, trained["boosting"], frame), {})
    (files_of(registry, run_id) / "more.json").touch()
    with pytest.raises(GateError) as error:
        registry.load(version)
    assert error.value.found == "a file that nobody registered"


def test_a_manifest_made_to_fit_changed_files_is_refused(registry, trained, frame):
    version = registry.register(run_id := finish_run(registry, trained["boosting"], frame), {})
    folder = files_of(registry, run_id)
    (folder / "config.json").write_text('{"words": {}, "numeric": []}')
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"] = model_files._sums(folder)
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(GateError) as error:
        registry.load(version)
    assert error.value.where.endswith("manifest.json")


def test_files_that_are_gone_are_an_error_of_their_own(registry, trained, frame):
    import shutil

    version = registry.register(run_id := finish_run(registry, trained["boosting"], frame), {})
    shutil.rmtree(files_of(registry, run_id))
    with pytest.raises(GateError, match="not there"):
        registry.load(version)


def test_registering_a_run_again_finds_its_version(registry, trained, frame):
    run_id = finish_run(registry, trained["boosting"], frame)
    assert registry.register(run_id, {}) == registry.register(run_id, {}) == 1
    assert registry.register(finish_run(registry, trained["boosting"], frame), {}) == 2


def test_a_version_says_where_it_comes_from(registry, trained, frame):
    run_id = finish_run(registry, trained["boosting"], frame)
    info = registry.version_info(registry.register(run_id, {"airloom.rows_digest": "rows"}))
    assert (run_id, NIGHT, "boosting", "training") == (
        info.run_id,
        info.partition,
        info.candidate,
        info.training_digest,
    )
    assert info.tags["airloom.rows_digest"] == "rows"
    assert len(info.tags["airloom.manifest"]) == 64


def test_the_alias_points_at_the_version_that_was_set_last(registry, trained, frame):
    assert registry.alias() is None
    versions = [registry.register(finish_run(registry, trained["boosting"], frame), {}) for _ in range(2)]
    for version in (*versions, versions[0]):
        registry.set_alias("champion", version)
        assert registry.alias() == version
    assert registry.alias("elsewhere") is None
    registry.remove_alias("champion")
    assert registry.alias() is None


def test_an_unknown_or_deleted_version_is_refused(registry, trained, frame):
    version = registry.register(finish_run(registry, trained["boosting"], frame), {})
    open_client(registry.settings).delete_model_version(registry.pipeline, str(version))
    for call in (registry.load, registry.version_info, lambda version: registry.set_alias("champion", version)):
        with pytest.raises(GateError, match="has no version 1"):
            call(version)


@pytest.mark.parametrize("tag", ["airloom.manifest", "airloom.model_source"])
def test_a_model_that_does_not_say_what_its_files_should_be_is_refused(registry, trained, frame, tag):
    version = registry.register(run_id := finish_run(registry, trained["boosting"], frame), {})
    client = open_client(registry.settings)
    client.delete_model_version_tag(registry.pipeline, str(version), tag)
    client.delete_tag(run_id, tag)
    for call in (registry.load, registry.verified_files, registry.libraries):
        with pytest.raises(GateError, match=r"version 1 of .* does not say what its files should be"):
            call(version)
    assert not registry.is_intact(run_id)


def test_a_model_that_cannot_be_imported_any_more_is_named(tmp_path, trained, frame):
    manifest_sum = model_files.write_model(trained["boosting"], tmp_path / "model", frame)
    manifest = tmp_path / "model" / "manifest.json"
    manifest.write_text(manifest.read_text().replace(":BoostingModel", ":Renamed"))
    with pytest.raises(GateError):
        model_files.read_model(tmp_path / "model", manifest_sum)
    with pytest.raises(DataError) as error:
        model_files._load_pyfunc(str(tmp_path / "model"))
    assert error.value.where == "tests.worlds.models:Renamed"


class Planted:
    """What an attacker would leave: unpickling or constructing it makes a folder."""

    def __init__(self, folder):
        self.folder = str(folder)

    def __reduce__(self):
        return os.mkdir, (self.folder,)


@pytest.mark.filterwarnings("ignore:Detected pickle protocol:UserWarning")
def test_a_planted_pickle_in_a_weights_file_is_refused_and_not_executed(tmp_path):
    import pickle

    import torch

    torch.save({"layers.0.weight": Planted(tmp_path / "owned")}, tmp_path / "weights.pt")
    (tmp_path / "bare.pt").write_bytes(pickle.dumps(Planted(tmp_path / "owned")))
    for name in ("weights.pt", "bare.pt"):
        with pytest.raises(DataError, match="nothing of it was executed"):
            network_files.load_weights(tmp_path / name)
    assert not (tmp_path / "owned").exists()


def test_a_planted_object_in_an_estimator_file_is_refused_and_not_executed(tmp_path):
    import pickle

    import skops.io
    from sklearn.preprocessing import FunctionTransformer

    skops.io.dump(FunctionTransformer(os.mkdir, kw_args={"path": str(tmp_path / "owned")}), tmp_path / "function.skops")
    (tmp_path / "bare.skops").write_bytes(pickle.dumps(Planted(tmp_path / "owned")))
    for name in ("function.skops", "bare.skops"):
        with pytest.raises(DataError, match="nothing of it was executed"):
            estimator_files.load_estimator(tmp_path / name)
    assert not (tmp_path / "owned").exists()


def _first_use(folder, barrier, results):
    settings = settings_at(folder)
    barrier.wait()
    registry = ModelRegistry(settings, "first")
    results.put((experiment_id(settings, "first"), registry.alias()))


def test_three_processes_may_use_a_fresh_store_at_once(tmp_path, settings):
    open_client(settings)  # Imports what the children would import, each for itself.
    context = multiprocessing.get_context("fork")
    barrier, results = context.Barrier(3), context.Queue()
    processes = [context.Process(target=_first_use, args=(tmp_path, barrier, results)) for _ in range(3)]
    for process in processes:
        process.start()
    found = [results.get(timeout=600) for _ in processes]
    for process in processes:
        process.join(timeout=600)
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert set(found) == {("1", None)}
