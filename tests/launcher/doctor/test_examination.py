"""Every check at once: nothing is wrong with what is prepared, and each fault turns exactly its own check red."""

import shutil
import sqlite3
from contextlib import closing
from datetime import date

import pytest

from airloom.launcher.doctor.findings import Check
from airloom.launcher.doctor.loading import load_libraries
from airloom.stores.ledger import Ledger
from airloom.stores.tracking import open_client
from tests.launcher.doctor.findings import of_state, states, the

CHECKS = [
    *("packages", "secrets", "ports", "disk", "settings", "state database", "MLflow", "champions", "features"),
    *("Airflow's database", "Airflow", "storage", "online store", "predictions", "workers", "DAGs", "lineage"),
]


def execute(file, statement):
    with closing(sqlite3.connect(file)) as database, database:
        database.execute(statement)


def state_file(installed):
    return installed.settings.var / "state" / "airloom.db"


@pytest.fixture
def red(installed):
    """Look, and return the one finding that is wrong."""

    def look(**variables):
        return the(installed.examine(**variables), "wrong")

    return look


def test_nothing_is_wrong_with_a_prepared_installation(installed):
    found = installed.examine()
    assert states(found) == {**dict.fromkeys(CHECKS, "ok"), "disk": states(found)["disk"]}
    assert [each.check for each in found] == CHECKS


def test_looking_leaves_nothing_behind(installed):
    before = {path.relative_to(installed.folder) for path in installed.folder.rglob("*")}
    installed.examine()
    made = {path.relative_to(installed.folder) for path in installed.folder.rglob("*")} - before
    # What Airflow, MLflow and SQLite keep for themselves.
    assert {str(path) for path in made if path.parts[:2] not in {("var", "logs"), ("var", "mlflow")}} <= {
        "var/airflow/airflow.cfg",
        *(f"var/{name}.db-{kind}" for name in ("airflow/airflow", "state/airloom") for kind in ("wal", "shm")),
    }


def test_a_package_of_another_version(installed, red):
    lock = installed.settings.project / "requirements.txt"
    text = lock.read_text()
    lock.unlink()
    lock.write_text(f"{text}\npydantic==0.1\n")
    found = red()
    assert (found.check, found.do) == ("packages", "make setup")
    assert "instead of 0.1" in found.said


def test_a_state_database_of_which_this_code_knows_nothing(installed, red):
    execute(state_file(installed), "UPDATE airloom_schema_version SET version_num = '9999'")
    found = red()
    assert (found.check, found.do.partition(" ")[0]) == ("state database", "upgrade")
    assert "newer than this code" in found.said


def test_a_state_database_from_before(installed):
    execute(state_file(installed), "DELETE FROM airloom_schema_version")
    found = installed.examine()
    assert (the(found, "wrong").check, the(found, "wrong").do) == ("state database", "run: airloom upgrade")
    said = {each.check: each.said for each in found}
    assert of_state(found, "skipped") == {"MLflow", "champions", "features"}
    assert said["MLflow"] == said["champions"] == said["features"] == "not looked at: state database comes first"


def test_a_wrong_password_for_the_state_database(red, postgres):
    url = postgres.url("postgres").replace(postgres.password, "planted-wrong-one")
    found = red(AIRLOOM_STATE_URL=url)
    assert (found.check, "AIRLOOM_STATE_URL" in found.do) == ("state database", True)
    assert "password authentication failed" in found.said
    assert "planted" not in str(found)


def test_a_file_for_the_tables_of_a_newer_airflow(installed, red):
    execute(installed.settings.var / "airflow" / "airflow.db", "UPDATE alembic_version SET version_num = 'other'")
    found = red()
    assert (found.check, found.do) == ("Airflow's database", "run: airloom up")
    assert "revision other" in found.said


def test_no_such_bucket(red, s3_client, s3):
    found = red(AIRLOOM_STORAGE_URL="s3://airloom-nowhere/production")
    assert (found.check, found.do.partition(",")[0]) == ("storage", "create the bucket airloom-nowhere")


def test_a_champion_that_somebody_has_moved_in_mlflow(installed, red):
    client = open_client(installed.settings)
    client.create_registered_model("parcels")
    for _ in range(2):
        client.create_model_version("parcels", source=str(installed.folder), run_id=None)
    promoted = {"expected_epoch": 0, "effective_from": date(2013, 2, 1), "version": 1}
    Ledger(installed.settings.state_url).promote("parcels", **promoted, verdict=None, actor="ann", reason="good")
    client.set_registered_model_alias("parcels", "champion", "2")
    found = red()
    assert (found.check, "parcels.train" in found.do) == ("champions", True)
    assert "version 1 in the ledger, the alias champion in MLflow is version 2" in found.said
    assert client.get_registered_model("parcels").aliases == {"champion": 2}


def test_a_feature_view_that_is_not_registered(installed, red):
    execute(state_file(installed), "DELETE FROM feature_views WHERE feature_view_name = 'depot_traffic'")
    found = red()
    assert (found.check, found.do) == ("features", "run: airloom apply")


def test_dags_of_a_pipeline_that_are_not_there(installed, red):
    dags = installed.settings.project / "dags"
    dags.unlink()
    dags.mkdir()
    found = red()
    assert (found.check, "AIRFLOW__CORE__DAGS_FOLDER" in found.do) == ("DAGs", True)
    assert found.said.startswith("5 DAGs of pipelines are not there: parcels.champion, parcels.features")


def test_a_dag_file_with_a_syntax_error_is_named_with_its_line(installed, red):
    dags = installed.settings.project / "dags"
    content = dags.resolve()
    dags.unlink()
    shutil.copytree(content, dags)
    (dags / "broken.py").write_text("from airflow.sdk import DAG\n\nwith DAG('broken'\n    pass\n")
    found = red()
    assert (found.check, "broken.py, line 3" in found.said) == ("DAGs", True)
    assert "SyntaxError" in found.said


def test_a_pipeline_that_cannot_be_read_is_named_with_line_and_key(installed, red):
    folder = installed.settings.include / "broken"
    folder.mkdir()
    (folder / "pipeline.yaml").write_text("name: broken\nshedule: {}\n")
    found = red()
    assert (found.check, f"{folder / 'pipeline.yaml'}, line 2, key shedule" in found.said) == ("DAGs", True)
    assert "Did you mean 'schedule'?" in found.said
    assert found.do.startswith("correct the file")


def test_an_error_of_a_module_is_told_by_its_type_and_place_and_without_its_words(installed, red):
    dags, module = installed.settings.project / "dags", installed.settings.include / "parcels" / "careless.py"
    content = dags.resolve()
    dags.unlink()
    shutil.copytree(content, dags)
    module.write_text("raise ValueError('planted-secret\\nexpected: something')\n")
    (dags / "own.py").write_text("from airflow.sdk import DAG\n\nimport include.parcels.careless\n")
    found = red()
    assert found.said.endswith(f"own.py: {module}, line 1: ValueError")


def test_a_secret_that_others_may_read(installed, red):
    installed.secrets.jwt.chmod(0o644)
    found = red()
    assert (found.check, found.do) == ("secrets", f"chmod 600 {installed.secrets.jwt}")


def test_a_lineage_backend_that_lets_nobody_in(red, answering):
    with answering(401) as backend:
        found = red(AIRLOOM_LINEAGE_URL=backend.url, AIRLOOM_LINEAGE_API_KEY="planted-lineage-key")
    assert (found.check, "AIRLOOM_LINEAGE_API_KEY" in found.do) == ("lineage", True)
    assert backend.asked[0]["Authorization"] == "Bearer planted-lineage-key"
    assert "planted" not in str(found)


def test_a_connection_that_cannot_be_looked_up_leaves_the_machine_to_look_at(installed):
    found = installed.examine(AIRLOOM_STATE_URL="connection:nowhere")
    assert [each.check for each in found] == ["packages", "secrets", "ports", "disk", "settings"]
    assert of_state(found, "wrong") == {"settings"}
    assert "AIRFLOW_CONN_NOWHERE" in the(found, "wrong").do


def test_a_setting_that_makes_no_sense(installed):
    found = the(installed.examine(AIRLOOM_STORAGE_URL="ftp://user:planted-secret@somewhere"), "wrong")
    assert found.check == "settings"
    assert "planted" not in str(found)


def test_a_library_that_is_missing_is_left_to_the_checks_that_need_it(monkeypatch):
    def missing():
        raise ModuleNotFoundError("feast")

    monkeypatch.setattr("airloom.stores.feast_loading.load_feast", missing)
    load_libraries()


def test_a_check_that_fails_itself_ends_in_no_traceback_and_tells_nothing_that_a_library_has_said():
    def fail(_):
        raise ValueError("planted-secret")
        yield

    [found] = Check("broken", fail).findings(None)
    assert (found.check, found.state) == ("broken", "wrong")
    assert "ValueError" in found.said
    assert "planted" not in str(found)
