"""What a pipeline's code says stays in the task's log: nothing that is kept, sent or shown holds it."""

import json

import pytest
import yaml
from airflow.sdk.exceptions import AirflowFailException

from airloom.core.errors import AirloomError, UnexpectedError
from airloom.core.pipeline import Pipeline
from airloom.operators.ingest import ExtractOperator
from airloom.operators.train import FitOperator
from airloom.steps.alerts import send_alert
from airloom.steps.references import load_reference
from airloom.stores.quarantine import Quarantine
from tests.lineage.emitted import Emitter
from tests.operators.tasks import task_of, use_project
from tests.worlds.installation import project_at, settings_at
from tests.worlds.nights import NIGHT, declaration_with, training_set
from tests.worlds.telling import SECRET
from tests.worlds.trips import DAY, STATIONS, TRIPS, trips_pipeline


def write_project(folder, pipeline):
    """Write a pipeline into a project of its own."""
    settings = project_at(folder)
    home = settings.include / pipeline.name
    (home / "expectations").mkdir(parents=True)
    (home / "pipeline.yaml").write_text(yaml.safe_dump(pipeline.model_dump(mode="json")))
    for name, text in {"trips.yaml": TRIPS, "stations.yaml": STATIONS, "none.yaml": "[]", "none.sql": ""}.items():
        (home / name).write_text(text)
    (home / "v.sql").write_text("")
    return settings


def what_others_see(task, folder, seen):
    """Run a task that fails; return the error that leaves it, and what lineage keeps of it."""
    with pytest.raises(seen) as failed:
        task.execute({})
    event = Emitter(folder / "events.ndjson").emit(task, "FAIL", error=failed.value)
    return failed.value, event["run"]["facets"]["errorMessage"]


def require_kept_to_the_log(log, folder, error, told):
    assert SECRET not in str(error)
    assert SECRET not in json.dumps(told)
    assert told["message"] == str(error)
    assert "Traceback" in told["stackTrace"]
    assert log is None or SECRET in "".join(log.readouterr())
    kept = [file for file in folder.rglob("*") if file.is_file() and SECRET.encode() in file.read_bytes()]
    assert kept == []


def toy(source="tests.worlds.telling:raises", **changes):
    return trips_pipeline(source=source, **changes)


@pytest.mark.parametrize(
    ("source", "seen", "kind"),
    [
        ("raises", UnexpectedError, "ValueError"),
        ("raises_from_another", UnexpectedError, "RuntimeError"),
        ("exits", UnexpectedError, "SystemExit"),
        ("times_out", UnexpectedError, "TimeoutError"),
        ("gives_up", AirflowFailException, "AirflowFailException"),
        ("parses", UnexpectedError, "ValueError"),
    ],
)
def test_an_error_of_the_source_is_its_type_and_place(source, seen, kind, tmp_path, monkeypatch, capfd):
    pipeline = toy(f"tests.worlds.telling:{source}")
    write_project(tmp_path, pipeline)
    use_project(tmp_path, monkeypatch)
    task = task_of(ExtractOperator, pipeline, partition=DAY.isoformat())
    error, told = what_others_see(task, tmp_path, seen)
    assert f"found:    {kind} at tests/worlds/telling.py, line " in str(error)
    require_kept_to_the_log(capfd, tmp_path, error, told)


@pytest.mark.parametrize("source", ["arrow", "mixed", "nothing"])
def test_what_the_source_returns_wrongly_is_described_without_values(source, tmp_path, monkeypatch):
    pipeline = toy(f"tests.worlds.telling:{source}")
    settings = write_project(tmp_path, pipeline)
    use_project(tmp_path, monkeypatch)
    task = task_of(ExtractOperator, pipeline, partition=DAY.isoformat())
    error, told = what_others_see(task, tmp_path, AirflowFailException)
    assert SECRET not in f"{error} {json.dumps(told)}"
    assert SECRET not in str(Quarantine(settings.quarantine / "toy").reason("trips", DAY))


def test_a_module_that_cannot_be_imported_is_named_with_type_and_line(tmp_path, monkeypatch, capfd):
    pipeline = toy("tests.worlds.secretive:source")
    write_project(tmp_path, pipeline)
    use_project(tmp_path, monkeypatch)
    task = task_of(ExtractOperator, pipeline, partition=DAY.isoformat())
    error, told = what_others_see(task, tmp_path, AirflowFailException)
    assert "RuntimeError" in str(error)
    require_kept_to_the_log(capfd, tmp_path, error, told)
    with pytest.raises(AirloomError) as refused:
        load_reference("tests.worlds.secretive:source", tmp_path)
    assert SECRET not in str(refused.value)
    assert SECRET in str(refused.value.__cause__)


CANDIDATES = {
    "fit_raises": "ArithmeticError at tests/worlds/telling.py",
    "fit_exits": "SystemExit at tests/worlds/telling.py",
    "predict_raises": "LookupError at tests/worlds/telling.py",
    "predict_returns_words": "other values than numbers",
}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A project whose candidates all fail, and its training set."""
    fits = {name: {"fit": f"tests.worlds.telling:{name}"} for name in CANDIDATES}
    pipeline, folder = Pipeline.model_validate(declaration_with(**fits)), tmp_path_factory.mktemp("trained")
    settings = write_project(folder, pipeline)
    return folder, pipeline, training_set(pipeline, settings).model_dump(mode="json")


@pytest.mark.parametrize("candidate", CANDIDATES)
def test_a_candidate_that_fails_is_described_without_its_message(candidate, trained, monkeypatch, capfd):
    folder, pipeline, training = trained
    use_project(folder, monkeypatch)
    task = task_of(FitOperator, pipeline, partition=NIGHT.isoformat(), candidate=candidate, training=training)
    error, told = what_others_see(task, folder, AirflowFailException)
    assert CANDIDATES[candidate] in str(error)
    require_kept_to_the_log(capfd if "words" not in candidate else None, folder, error, told)


def test_an_alert_that_cannot_be_sent_says_why_in_the_log_alone(tmp_path, caplog):
    pipeline = toy(alert="tests.worlds.telling:alert")
    send_alert(pipeline, DAY, "no predictions", settings_at(tmp_path))
    assert SECRET in caplog.text
    assert not any(SECRET.encode() in file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())
