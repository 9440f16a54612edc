"""An installation moves to servers: everything is there as it was, and life goes on where it stopped."""

import dataclasses
import json
import os
from datetime import timedelta

import numpy as np
import pytest
from sqlalchemy import create_engine, text
from typer.testing import CliRunner

from airloom.cli import app
from airloom.core.errors import DataError, DeclarationError, SetupError, Unavailable, UsageError
from airloom.core.records import TrainingSet
from airloom.core.settings import Settings
from airloom.launcher.importing import installation
from airloom.launcher.importing.installation import import_installation
from airloom.launcher.ports import Ports
from airloom.launcher.services import Services
from airloom.steps.apply import apply_choice
from airloom.steps.choose import choose
from airloom.steps.fit import fit
from airloom.stores.files import files_below
from airloom.stores.kept_events import kept_lines
from airloom.stores.lake import Lake
from airloom.stores.ledger import Ledger
from airloom.stores.models import ModelRegistry
from airloom.stores.pins import Pins
from airloom.stores.state_schema import upgrade_state
from airloom.stores.tracking import experiment_id, open_client
from tests.faults.invariants import end_state
from tests.faults.scenario import CANDIDATES, FEATURES, PIPELINE, night_pipeline
from tests.worlds.nights import COLUMNS, NIGHT, example_rows

LAST_NIGHT = max(CANDIDATES)


def moved(lived, settings):
    """Import, and return what became of each part."""
    return {
        each.part: (each.changed, each.outcome) for each in import_installation(lived.var, settings, lambda _: None)
    }


def told(settings):
    """All that people and steps ask an installation for, wherever it keeps it."""
    ledger, registry = Ledger(settings.state_url), ModelRegistry(settings, PIPELINE)
    runs = open_client(settings).search_runs(
        [experiment_id(settings, PIPELINE)], order_by=["attributes.start_time ASC"]
    )
    lake = Lake(settings.lake / FEATURES)
    return {
        "champions": ledger.history(PIPELINE),
        "decisions": ledger.decisions(PIPELINE),
        "pins": Pins(settings.state_url).history(PIPELINE),
        "alias": (registry.alias(), registry.noted_epoch()),
        "runs": [(vars(run.info) | {"_artifact_uri": None}, run.data.metrics, run.data.params) for run in runs],
        "inputs": [[each.dataset.digest for each in run.inputs.dataset_inputs] for run in runs],
        "versions": [dataclasses.replace(registry.version_info(version), tags={}) for version in versions(settings)],
        "lake": {table: (lake.partitions(table), lake.commit(table)) for table in lake.tables()},
        "files": {
            str(each.place).removeprefix(str(settings.shared)): each.size
            for folder in (settings.lake, settings.training, settings.validations)
            for each in files_below(folder)
        },
        "lineage": [line.rstrip() for line in kept_lines(settings.lineage)],
    }


def versions(settings):
    return sorted(int(each.version) for each in open_client(settings).search_model_versions(f"name = '{PIPELINE}'"))


def predictions(settings, version):
    return ModelRegistry(settings, PIPELINE).load(version).predict(example_rows()[COLUMNS.all])


def test_everything_is_on_the_servers_as_it_was_on_one_machine(lived, house):
    done = moved(lived, house.settings)
    assert done["runs and models"] == (True, "2 runs and 2 versions copied")
    assert done["lineage"] == (True, "4 events copied")
    assert done["ledger"] == (True, "3 champions and 2 verdicts copied")
    assert told(house.settings) == told(lived)
    for version in versions(lived):
        np.testing.assert_array_equal(predictions(house.settings, version), predictions(lived, version))
    info = ModelRegistry(house.settings, PIPELINE).version_info(1)
    assert info.tags["airloom.model_source"].startswith(f"mlflow-artifacts:/{PIPELINE}/")
    untrained = open_client(house.settings).get_experiment_by_name("untrained")
    assert untrained.artifact_location == "mlflow-artifacts:/untrained"


def test_life_goes_on_where_it_stopped(lived, house):
    moved(lived, house.settings)
    training = TrainingSet.model_validate_json((lived.training / f"{LAST_NIGHT}.json").read_text())
    again = fit(night_pipeline(LAST_NIGHT), LAST_NIGHT, "only", training, house.settings)
    assert again.headline == "only was trained before"
    tomorrow = LAST_NIGHT + timedelta(days=1)
    fitted = fit(night_pipeline(LAST_NIGHT), tomorrow, "only", training, house.settings)
    assert ModelRegistry(house.settings, PIPELINE).register(fitted.run_id, {}) == 3
    chosen = choose(night_pipeline(LAST_NIGHT), tomorrow, "promote", 3, "ann", "to go on", house.settings)
    apply_choice(night_pipeline(LAST_NIGHT), chosen, house.settings)
    assert [row.epoch for row in Ledger(house.settings.state_url).history(PIPELINE)] == [1, 2, 3, 4]
    assert ModelRegistry(house.settings, PIPELINE).alias() == 3
    assert int(experiment_id(house.settings, "another")) > int(experiment_id(house.settings, PIPELINE))
    assert moved(lived, house.settings) == {"everything": (False, "was imported before")}


def test_a_command_says_what_was_imported(lived, house, monkeypatch):
    before = dict(os.environ)
    os.environ.update(
        {
            "AIRLOOM_PROJECT": str(house.settings.project),
            "AIRLOOM_VAR": str(house.settings.var),
            "AIRLOOM_STATE_URL": house.settings.state_url,
            "AIRLOOM_STORAGE_URL": str(house.settings.storage),
            "AIRLOOM_TRACKING_URL": house.settings.tracking_url,
        }
    )
    try:
        first = CliRunner().invoke(app, ["import", str(lived.var)], catch_exceptions=False)
        second = CliRunner().invoke(app, ["import", str(lived.var), "--json"], catch_exceptions=False)
    finally:
        os.environ.clear()
        os.environ.update(before)
    assert "3 champions and 2 verdicts copied" in first.output
    assert json.loads(second.output) == [{"part": "everything", "changed": False, "outcome": "was imported before"}]


@pytest.mark.parametrize("part", ["import_models", "import_lineage", "import_ledger"])
def test_what_was_interrupted_is_ended_by_doing_it_again(lived, house, monkeypatch, part):
    with monkeypatch.context() as interrupted:
        interrupted.setattr(installation, part, lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            moved(lived, house.settings)
    assert Ledger(house.settings.state_url).history(PIPELINE) == []
    moved(lived, house.settings)
    assert told(house.settings) == told(lived)


def test_one_database_and_folders_can_be_moved_to_as_well(lived, postgres, tmp_path, monkeypatch):
    state = postgres.create(f"moved_{tmp_path.name}")
    upgrade_state(state)
    settings = Settings(lived.project, tmp_path / "var", state)
    open_client(settings)
    with monkeypatch.context() as interrupted:
        interrupted.setattr(installation, "import_ledger", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            moved(lived, settings)
    assert moved(lived, settings)["lineage"] == (False, "was copied before")
    assert told(settings) == told(lived)
    np.testing.assert_array_equal(predictions(settings, 1), predictions(lived, 1))
    source = ModelRegistry(settings, PIPELINE).version_info(1).tags["airloom.model_source"]
    assert source.startswith(settings.artifacts.as_uri())


def test_lineage_of_others_is_not_replaced(lived, postgres, tmp_path):
    settings = Settings(lived.project, tmp_path / "var", postgres.create(f"kept_{tmp_path.name}"))
    upgrade_state(settings.state_url)
    settings.lineage.parent.mkdir(parents=True)
    settings.lineage.write_text("{}\n")
    with pytest.raises(DataError, match="kept here already"):
        moved(lived, settings)
    assert settings.lineage.read_text() == "{}\n"
    assert Ledger(settings.state_url).history(PIPELINE) == []


def test_only_the_database_changes_where_everything_else_stays(lived, postgres, tmp_path):
    state = postgres.create(f"stayed_{tmp_path.name}")
    upgrade_state(state)
    settings = Settings(lived.project, lived.var, state)
    open_client(settings)
    assert set(moved(lived, settings)) >= {"runs and models", "lineage", "ledger"}
    assert told(settings) == told(lived)


def test_nothing_is_mixed_with_another_history(lived, house):
    head = {"effective_from": NIGHT, "version": 7, "verdict": None, "actor": "ann", "reason": "another"}
    Ledger(house.settings.state_url).promote(PIPELINE, expected_epoch=0, **head)
    with pytest.raises(DataError, match="something else of the same name") as error:
        moved(lived, house.settings)
    assert error.value.found.startswith("pipeline late, epoch 1, which differs in ")
    assert list(files_below(house.settings.shared)) == []
    assert open_client(house.settings).get_experiment_by_name(PIPELINE) is None


def test_nothing_is_mixed_with_other_models(lived, house):
    experiment_id(house.settings, PIPELINE)
    with pytest.raises(DataError, match="something else of the same name") as error:
        moved(lived, house.settings)
    assert "experiments in postgresql" in error.value.where
    assert versions(house.settings) == []
    assert Ledger(house.settings.state_url).history(PIPELINE) == []


def test_nothing_is_mixed_with_other_tables(lived, house, tmp_path):
    from tests.worlds import feature_lake

    elsewhere = dataclasses.replace(house.settings, state_url=f"sqlite:///{tmp_path}/other.db")
    rows = feature_lake.drivers(feature_lake.DAY, {"ann": 9.0})
    feature_lake.publish_view(elsewhere, "driver", feature_lake.DAY, rows)
    before = {str(each.place) for each in files_below(house.settings.shared)}
    with pytest.raises(DataError, match="something else of the same name"):
        moved(lived, house.settings)
    assert {str(each.place) for each in files_below(house.settings.shared)} == before


def test_a_folder_without_an_installation_is_none(house, tmp_path):
    with pytest.raises(UsageError, match="no installation to import") as error:
        next(import_installation(tmp_path, house.settings, lambda _: None))
    assert error.value.expected == "the folder var of an installation on one machine"


def test_an_installation_does_not_import_itself(lived):
    with pytest.raises(UsageError, match="cannot import itself"):
        next(import_installation(lived.var, lived, lambda _: None))


def test_an_installation_is_not_imported_until_it_is_stopped_even_if_its_processes_cannot_be_seen(lived, house):
    record = Services(lived, Ports()).all[0].record
    record.parent.mkdir(exist_ok=True)
    record.write_text(json.dumps({"pid": 2**22 + 1, "created": 0.0}))
    with pytest.raises(SetupError, match="still runs, or has crashed") as error:
        moved(lived, house.settings)
    assert (error.value.where, error.value.found) == (str(lived.var / "run"), "api-server.json")
    assert error.value.do.startswith("make down")
    assert list(files_below(house.settings.shared)) == []
    Services(lived, Ports()).stop()
    assert "ledger" in moved(lived, house.settings)


def test_a_broken_pipeline_is_told_before_anything_is_copied(lived, house, tmp_path):
    (tmp_path / "include" / "broken").mkdir(parents=True)
    (tmp_path / "include" / "broken" / "pipeline.yaml").write_text("name: broken\n")
    with pytest.raises(DeclarationError) as error:
        moved(lived, dataclasses.replace(house.settings, project=tmp_path))
    assert str(tmp_path / "include" / "broken" / "pipeline.yaml") in error.value.where
    assert list(files_below(house.settings.shared)) == []


def test_the_database_of_an_mlflow_server_has_to_be_named(lived, house, monkeypatch):
    monkeypatch.delenv("MLFLOW_BACKEND_STORE_URI")
    with pytest.raises(UsageError, match="nothing says in which") as error:
        moved(lived, house.settings)
    assert error.value.where == "MLFLOW_BACKEND_STORE_URI"


def test_the_database_of_another_mlflow_server_is_left_alone(lived, house, postgres, tmp_path, monkeypatch):
    other = Settings(lived.project, tmp_path / "other", postgres.create(f"other_{tmp_path.name}"))
    upgrade_state(other.state_url)
    open_client(other)
    monkeypatch.setenv("MLFLOW_BACKEND_STORE_URI", other.state_url)
    with pytest.raises(UsageError, match="not the database of MLflow's server"):
        moved(lived, house.settings)
    assert open_client(other).get_experiment_by_name(PIPELINE) is None


def test_a_database_that_is_none_of_mlflow_is_left_alone(lived, house, postgres, tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_BACKEND_STORE_URI", postgres.create(f"empty_{tmp_path.name}"))
    with pytest.raises(UsageError, match="not the database of MLflow's server"):
        moved(lived, house.settings)


def test_a_server_that_takes_no_files_ends_it_before_any_row(lived, house, monkeypatch):
    def away(*_):
        raise ConnectionError("gone")

    monkeypatch.setattr("mlflow.store.artifact.artifact_repository_registry.get_artifact_repository", away)
    with pytest.raises(Unavailable, match="does not answer"):
        moved(lived, house.settings)
    assert versions(house.settings) == []


def test_tables_of_another_mlflow_are_left_alone(lived, house):
    engine = create_engine(house.mlflow_database)
    with engine.begin() as connection:
        version = connection.scalar(text("SELECT version_num FROM alembic_version"))
        connection.execute(text("UPDATE alembic_version SET version_num = 'older'"))
    try:
        with pytest.raises(SetupError, match="two versions") as error:
            moved(lived, house.settings)
    finally:
        with engine.begin() as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = :version"), {"version": version})
        engine.dispose()
    assert "revision older, and " in error.value.found


def test_nothing_changes_where_it_comes_from(lived, house):
    before, state = told(lived), end_state(lived)
    moved(lived, house.settings)
    assert (told(lived), end_state(lived)) == (before, state)
