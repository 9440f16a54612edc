import json

import pytest

from airloom.core.declaration import find_pipeline
from airloom.core.errors import DataError
from airloom.core.pipeline import Pipeline
from airloom.steps.fit import fit
from airloom.steps.provenance import definitions
from airloom.stores.models import ModelRegistry
from airloom.stores.runs import TrainingRuns
from airloom.stores.tracking import experiment_id, open_client
from tests.worlds.candidates import ByRate
from tests.worlds.installation import settings_at
from tests.worlds.nights import BOOSTING, NETWORK, NIGHT, example_rows, pipeline_with, training_set
from tests.worlds.prepared import INCLUDE

RATE = {"fit": "tests.worlds.candidates:by_rate", "params": {"share": 0.5}}


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    return settings_at(tmp_path_factory.mktemp("fit"))


def run(settings, run_id):
    return open_client(settings).get_run(run_id)


def statuses(settings, candidate):
    runs = open_client(settings).search_runs(
        [experiment_id(settings, "late")], f"tags.`airloom.candidate` = '{candidate}'"
    )
    return [each.info.status for each in runs]


@pytest.fixture(scope="module")
def fitted(settings):
    pipeline = pipeline_with(network=NETWORK)
    training = training_set(pipeline, settings)
    return fit(pipeline, NIGHT, "network", training, settings), pipeline, training


def test_a_run_says_what_it_was_trained_from_and_with(settings, fitted):
    record, pipeline, training = fitted
    found = run(settings, record.run_id)
    tags = found.data.tags
    assert found.info.status == "FINISHED"
    assert found.data.params == {"epochs": "2", "learning_rate": "0.01", "seed": "7"}
    assert (tags["airloom.pipeline"], tags["airloom.partition"]) == ("late", "2024-01-10")
    assert (tags["airloom.candidate"], tags["airloom.degraded"]) == ("network", "false")
    assert (tags["airloom.pipeline_digest"], tags["airloom.training_digest"]) == (pipeline.digest, training.digest)
    assert json.loads(tags["airloom.lake"]) == {"raw.flights": 4}
    assert float(tags["airloom.seconds"]) == pytest.approx(record.seconds, abs=0.001)
    assert {"airloom.code", "airloom.python", "airloom.platform", "airloom.manifest"} <= tags.keys()
    assert (tags["airloom.threads"], set(json.loads(tags["airloom.libraries"]))) == (
        "1",
        {"deltalake", "duckdb", "feast", "pyarrow"},
    )


def test_a_run_keeps_what_the_folder_defines(settings, fitted):
    record = fitted[0]
    kept = TrainingRuns(settings, "late").facts(record.run_id, "definitions")
    assert kept["declaration"]["train.candidates.network.params.epochs"] == 2
    assert kept["expectations"] == {"flights": "cannot be read", "schedule": "cannot be read"}
    assert kept["features"] == {"none.sql": "no file", "features.py": "no file"}


def test_a_folder_with_all_of_its_files_defines_all_of_it(tmp_path):
    complete = definitions(find_pipeline(INCLUDE, "parcels"), settings_at(tmp_path, project=INCLUDE.parent))
    views = {f"sql/{view}.sql" for view in ("courier_delays", "depot_delays", "depot_traffic")}
    assert set(complete["features"]) == {*views, "features.py"}
    assert "no file" not in complete["features"].values()
    assert "cannot be read" not in complete["expectations"].values()


def test_a_run_keeps_the_declaration_that_it_was_trained_by(settings, fitted):
    record, pipeline, _ = fitted
    kept = TrainingRuns(settings, "late").facts(record.run_id, "declaration")
    assert Pipeline.model_validate(kept) == pipeline


def test_a_run_has_losses_and_the_training_set_as_its_input(settings, fitted):
    record, _, training = fitted
    found = run(settings, record.run_id)
    losses = open_client(settings).get_metric_history(record.run_id, "train.loss")
    assert [each.step for each in losses] == [0, 1]
    assert found.data.metrics["train.rows"] == training.rows
    (dataset,) = found.inputs.dataset_inputs
    assert (dataset.dataset.name, dataset.dataset.digest) == ("training", training.digest)
    assert json.loads(dataset.dataset.profile)["num_rows"] == training.rows
    assert [output.step for output in found.outputs.model_outputs] == [0]


def test_the_holdout_is_not_learned_from(settings):
    rows = example_rows()
    pipeline = pipeline_with(boosting=BOOSTING)
    holdout = rows["airloom_split"] == "holdout"
    flipped = rows.assign(late=rows["late"].where(~holdout, 1 - rows["late"]))
    models = [
        ModelRegistry(settings, "late").load_run(
            fit(pipeline, NIGHT, "boosting", training_set(pipeline, settings, each), settings).run_id
        )
        for each in (rows, flipped)
    ]
    first, second = (model.predict(rows) for model in models)
    assert (first == second).all()


def test_the_sample_that_is_kept_with_a_model_is_predicted_with_the_fixed_threads_too(settings, monkeypatch):
    import torch

    used, predict = [], ByRate.predict

    def counting(model, frame):
        used.append(torch.get_num_threads())
        return predict(model, frame)

    monkeypatch.setattr(ByRate, "predict", counting)
    pipeline = pipeline_with(counting={"fit": "tests.worlds.candidates:by_rate"})
    monkeypatch.setenv("AIRLOOM_THREADS", "3")
    fit(pipeline, NIGHT, "counting", training_set(pipeline, settings), settings)
    assert used == [3, 3, 3]  # of the training, of what is kept, and of what was loaded from that


def test_the_same_training_is_not_done_twice(settings, fitted):
    record, pipeline, training = fitted
    again = fit(pipeline, NIGHT, "network", training, settings)
    assert again.run_id == record.run_id
    assert again.seconds == pytest.approx(record.seconds, abs=0.001)
    assert "before" in again.headline


def test_a_training_whose_files_are_gone_is_done_again(settings, fitted):
    import shutil

    pipeline = pipeline_with(lost=RATE)
    training = training_set(pipeline, settings, example_rows(seed=3))
    record = fit(pipeline, NIGHT, "lost", training, settings)
    shutil.rmtree(run(settings, record.run_id).data.tags["airloom.model_source"].removeprefix("file://"))
    again = fit(pipeline, NIGHT, "lost", training, settings)
    assert again.run_id != record.run_id
    assert ModelRegistry(settings, "late").is_intact(again.run_id)


def test_other_rows_are_another_training(settings, fitted):
    record, pipeline, _ = fitted
    other = training_set(pipeline, settings, example_rows(seed=2))
    assert fit(pipeline, NIGHT, "network", other, settings).run_id != record.run_id


@pytest.mark.parametrize(
    ("candidate", "problem"),
    [("diverging", r"train\.loss is not a finite number"), ("not_probabilities", "not probabilities")],
)
def test_a_training_that_goes_wrong_is_stopped_and_its_run_failed(settings, candidate, problem):
    pipeline = pipeline_with(**{candidate: {"fit": f"tests.worlds.candidates:{candidate}"}})
    with pytest.raises(DataError, match=problem):
        fit(pipeline, NIGHT, candidate, training_set(pipeline, settings), settings)
    assert statuses(settings, candidate) == ["FAILED"]


def test_a_training_that_went_wrong_is_done_again(settings, monkeypatch):
    from tests.worlds import candidates

    pipeline = pipeline_with(by_rate=RATE)
    training = training_set(pipeline, settings)
    with monkeypatch.context() as broken:
        broken.setattr(candidates, "by_rate", lambda data, params, log: 1 / 0)
        with pytest.raises(DataError, match="The candidate by_rate cannot be trained") as error:
            fit(pipeline, NIGHT, "by_rate", training, settings)
    assert error.value.found.startswith("ZeroDivisionError at tests/steps/test_fit.py, line ")
    record = fit(pipeline, NIGHT, "by_rate", training, settings)
    assert run(settings, record.run_id).info.status == "FINISHED"
    assert sorted(statuses(settings, "by_rate")) == ["FAILED", "FINISHED"]


def test_a_training_set_that_is_gone_is_named(settings):
    pipeline = pipeline_with(by_rate=RATE)
    gone = training_set(pipeline, settings).model_copy(update={"path": "late/gone.parquet", "digest": "gone"})
    with pytest.raises(DataError, match="not there any more"):
        fit(pipeline, NIGHT, "by_rate", gone, settings)
