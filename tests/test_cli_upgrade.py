"""The command `airloom upgrade`."""

import json
import os
import shutil
from datetime import date

import pyarrow as pa
import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from airloom.cli import app
from airloom.cli.console import console
from airloom.core.errors import SetupError, UsageError
from airloom.core.settings import Settings
from airloom.stores.database import open_database
from airloom.stores.lake import Lake
from airloom.stores.ledger import Ledger
from airloom.stores.state import state_engine
from tests.worlds.installation import publish
from tests.worlds.older_tables import begin_older
from tests.worlds.prepared import make_project


@pytest.fixture
def project(tmp_path, own_include):
    make_project(tmp_path / "project")
    return tmp_path / "project"


@pytest.fixture
def command(tmp_path, project, empty_state_url, monkeypatch):
    variables = {
        "AIRLOOM_PROJECT": str(project),
        "AIRLOOM_VAR": str(tmp_path),
        "AIRLOOM_STATE_URL": empty_state_url,
        "AIRLOOM_TRACKING_URL": "",
    }
    before = dict(os.environ)
    os.environ.update(variables)
    monkeypatch.setattr(console, "width", 120)

    def run(*options):
        return CliRunner().invoke(app, ["upgrade", *options], catch_exceptions=False).output

    yield run
    os.environ.clear()
    os.environ.update(before)


def outcomes(told):
    return {each["part"]: (each["changed"], each["outcome"]) for each in json.loads(told)}


def test_everything_is_made_where_there_is_nothing_and_left_alone_afterwards(command, empty_state_url):
    assert outcomes(command("--json")) == {
        "ledger": (True, "upgraded to revision 0001"),
        "MLflow": (True, "tables created"),
        "features of parcels": (True, "3 feature views registered"),
    }
    assert Ledger(empty_state_url).history("parcels") == []
    told = command()
    assert "revision 0001, as it was" in told
    assert "tables, as they were" in told
    assert "3 feature views, as they were" in told


@pytest.mark.parametrize("empty_state_url", ["sqlite"], indirect=True)
def test_on_one_machine_too_a_bucket_is_made_when_asked_for_and_its_server_is_tried_out(
    command, project, faulty, monkeypatch
):
    shutil.rmtree(project / "include")
    monkeypatch.setenv("AIRLOOM_STORAGE_URL", "s3://airloom-of-one-machine/var")
    with pytest.raises(SetupError, match="no such bucket"):
        command()
    assert outcomes(command("--json", "--create-bucket"))["bucket"] == (True, "airloom-of-one-machine created")
    assert outcomes(command("--json"))["bucket"] == (False, "airloom-of-one-machine was there")
    assert any(method == "PUT" and ".airloom-probe" in path for method, path, _ in faulty.seen)


def test_a_pipeline_that_is_broken_keeps_nothing_else_from_being_upgraded(command, project, empty_state_url):
    (project / "include" / "broken").mkdir()
    (project / "include" / "broken" / "pipeline.yaml").write_text("name: broken\n")
    _declare_wrong_features(project, "wrong")
    told = outcomes(command("--json"))
    assert told["features of parcels"] == (True, "3 feature views registered")
    assert "broken/pipeline.yaml, line 1" in told["a pipeline"][1]
    changed, outcome = told["features of wrong"]
    assert (changed, "wrong_features.py, line 2\n" in outcome, "nowhere_defined" in outcome) == (False, True, True)
    assert "do:       correct the module" in outcome


@pytest.mark.parametrize("empty_state_url", ["sqlite"], indirect=True)
def test_what_could_not_be_registered_is_told_by_apply_after_all_others(command, project):
    command()
    _declare_wrong_features(project, "a_wrong_one")
    done = CliRunner().invoke(app, ["apply"])
    assert done.exit_code == 2
    assert "parcels: 3 feature views are registered." in done.stdout
    assert "a_wrong_one_features.py, line 2\n" in done.stderr


def test_champions_that_are_lost_are_given_up_only_by_somebody_who_says_so(command, tmp_path, project, empty_state_url):
    settings = Settings(project, tmp_path, empty_state_url)
    publish(settings, "parcels", "predictions", date(2024, 1, 5), pa.table({"parcel": ["a"], "score": [0.1]}))
    with pytest.raises(SetupError, match="does not have the champions of parcels"):
        command()
    assert outcomes(command("--json", "--accept-loss"))["champions of parcels"] == (
        True,
        "given up: the champion that has made the predictions of the lake",
    )
    assert "champions of parcels" not in outcomes(command("--json"))


@pytest.mark.parametrize("empty_state_url", ["sqlite"], indirect=True)
def test_columns_of_predictions_are_renamed_only_when_asked_for(command, tmp_path, project, monkeypatch):
    database = f"sqlite:///{tmp_path}/predictions.db"
    monkeypatch.setenv("AIRLOOM_PREDICTIONS_URL", database)
    file = project / "include" / "parcels" / "pipeline.yaml"
    file.write_text(file.read_text().replace("score: {entities: ", "score: {sink: {table: copied}, entities: "))
    lake, day = Lake(tmp_path / "lake" / "parcels"), date(2024, 1, 5)
    begin_older(lake, "predictions", day, pa.table({"parcel_id": ["a"], "score": [0.5], "model_version": [1]}))
    older = "pipeline TEXT, partition DATE, parcel_id TEXT, score FLOAT, version TEXT, quality TEXT"
    with open_database(database, "", "").begin() as connection:
        connection.execute(text(f"CREATE TABLE copied ({older}, PRIMARY KEY (pipeline, partition, parcel_id))"))
    assert "predictions of parcels" not in outcomes(command("--json", "--accept-loss"))
    assert "score" in lake.schema("predictions").names
    for changed in (True, False):
        told = outcomes(command("--json", "--rename-columns", "parcels"))
        assert [told[part][0] for part in ("predictions of parcels", "SQL table copied")] == [changed, changed]
    assert lake.schema("predictions").names == ["parcel_id", "airloom_score", "airloom_model_version"]
    with pytest.raises(UsageError, match="upgraded together"):
        command("parcels")


def _declare_wrong_features(project, name):
    """Declare another pipeline, whose features cannot be imported."""
    folder = project / "include" / name
    shutil.copytree(project / "include" / "parcels", folder)
    declared = (folder / "pipeline.yaml").read_text().replace("include.parcels.features", f"{name}_features")
    (folder / "pipeline.yaml").write_text(declared.replace("name: parcels", f"name: {name}"))
    (project / f"{name}_features.py").write_text("import sys\nnowhere_defined\n")


def test_a_newer_database_ends_it_with_nothing_done(command, empty_state_url):
    with state_engine(empty_state_url).begin() as connection:
        connection.execute(text("CREATE TABLE airloom_schema_version (version_num VARCHAR(32))"))
        connection.execute(text("INSERT INTO airloom_schema_version VALUES ('9999')"))
    with pytest.raises(SetupError, match="newer than this code"):
        command()
