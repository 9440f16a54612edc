"""Databases that cannot be written, on real servers: each is told, and left as it was."""

import pytest

from airloom.launcher.doctor.databases import airflow_database, state_database
from airloom.launcher.doctor.models import champions
from airloom.launcher.doctor.predictions import predictions
from airloom.stores.pins import Pins
from airloom.stores.state import state_engine
from airloom.stores.state_schema import upgrade_state
from tests.launcher.doctor.findings import look, of_state, states, the


@pytest.fixture
def standby(postgres):
    """A database that may only be read, as one is that others are copied to: its tables are made before."""

    def of(url):
        postgres.run(f'ALTER DATABASE "{url.rpartition("/")[2]}" SET default_transaction_read_only = on')

    return of


@pytest.fixture
def reader(postgres):
    """A user who may read everything, and nothing else."""
    if not getattr(postgres, "has_reader", False):
        postgres.run("CREATE ROLE planted_reader LOGIN PASSWORD 'planted-password'")
        postgres.run("GRANT pg_read_all_data TO planted_reader")
        postgres.has_reader = True
    return lambda url: url.replace(f"postgres:{postgres.password}", "planted_reader:planted-password")


def test_a_state_database_that_may_only_be_read(installed, postgres, standby, reader):
    url = postgres.create("state_standby")
    upgrade_state(url)
    found = the(look(state_database, installed.subject(state_url=reader(url))), "wrong")
    assert "The state database cannot be used." in found.said
    assert "permission denied" in found.said
    assert "AIRLOOM_STATE_URL" in found.do
    assert "planted" not in found.said.replace("planted_reader", "")
    standby(url)
    found = the(look(state_database, installed.subject(state_url=url)), "wrong")
    assert "The state database is read-only." in found.said
    assert "standby" in found.do


def test_a_state_database_that_shows_this_user_nothing(installed, postgres):
    url = postgres.create("state_stranger")
    upgrade_state(url)
    postgres.run("CREATE ROLE planted_stranger LOGIN PASSWORD 'planted-password'")
    stranger = url.replace(f"postgres:{postgres.password}", "planted_stranger:planted-password")
    found = the(look(state_database, installed.subject(state_url=stranger)), "wrong")
    assert "permission denied for table airloom_schema_version" in found.said
    assert "let the user of AIRLOOM_STATE_URL" in found.do
    found = the(look(champions, installed.subject(state_url=stranger)), "wrong")
    assert "permission denied" in found.said


def test_a_state_database_is_left_as_it_was(installed, state_url):
    assert of_state(look(state_database, installed.subject(state_url=state_url)), "wrong") == set()
    assert Pins(state_url).history(".airloom-doctor") == []


def test_airflow_with_a_database_that_may_only_be_read(installed, postgres, standby, monkeypatch):
    from airflow.models import Variable
    from airflow.utils.db import _REVISION_HEADS_MAP

    url = postgres.create("airflow_standby")
    with state_engine(url).begin() as connection:
        # What is looked at, of all that Airflow has.
        for table in ("team", "variable"):
            Variable.metadata.tables[table].create(connection)
        connection.exec_driver_sql("CREATE TABLE alembic_version (version_num text)")
        [*_, newest] = _REVISION_HEADS_MAP.values()
        connection.exec_driver_sql(f"INSERT INTO alembic_version VALUES ('{newest}')")
    monkeypatch.setenv("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", url)
    assert of_state(look(airflow_database, installed.subject()), "wrong") == set()
    standby(url)
    found = the(look(airflow_database, installed.subject()), "wrong")
    assert "Airflow's database is read-only." in found.said
    assert "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN" in found.do


@pytest.fixture
def copied(installed):
    """An installation whose pipeline copies its predictions to a table."""
    file = installed.settings.include / "parcels" / "pipeline.yaml"
    file.write_text(file.read_text().replace("{entities: orders}", "{entities: orders, sink: {table: predicted}}"))
    return installed


@pytest.mark.parametrize("table", ["", "CREATE TABLE predicted (flight_id text)"], ids=["new", "in use"])
def test_predictions_in_a_database_that_may_only_be_read(copied, postgres, reader, standby, table):
    import psycopg

    url = postgres.create(f"predictions_{'used' if table else 'new'}")
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        if table:
            connection.execute(table)
        assert of_state(look(predictions, copied.subject(predictions_url=url)), "ok") == {"predictions"}
        tables = connection.execute("SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace")
        assert [name for (name,) in tables] == (["predicted"] if table else [])
    found = the(look(predictions, copied.subject(predictions_url=reader(url))), "wrong")
    assert "permission denied" in found.said
    standby(url)
    found = the(look(predictions, copied.subject(predictions_url=url)), "wrong")
    assert "The database for predictions is read-only." in found.said
    assert "AIRLOOM_PREDICTIONS_URL" in found.do


def test_predictions_in_a_file(copied, tmp_path):
    file, folder = tmp_path / "predictions.db", tmp_path / "file"

    def at(place):
        return look(predictions, copied.subject(predictions_url=f"sqlite:///{place}"))

    assert states(at(tmp_path / "new" / "predictions.db")) == {"predictions": "ok"}
    assert not (tmp_path / "new").exists()
    folder.write_text("")
    assert "cannot be made" in the(at(folder / "predictions.db"), "wrong").said
    file.write_text("no database, and longer than nothing")
    assert "file is not a database" in the(at(file), "wrong").said
