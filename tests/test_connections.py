"""Settings that name an Airflow connection."""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
from airflow.sdk import Connection

from airloom.connections import use_connections
from airloom.core.errors import SetupError
from airloom.core.settings import Settings
from airloom.stores.database import open_database
from airloom.stores.state_schema import upgrade_state

PROJECT = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION", "AWS_ENDPOINT_URL_S3"):
        monkeypatch.setenv(name, "before")
    for name in ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"):
        monkeypatch.setenv(name, "before")


def connect(monkeypatch, setting, name, **connection):
    monkeypatch.setenv(setting, f"connection:{name}")
    monkeypatch.setenv(f"AIRFLOW_CONN_{name.upper()}", json.dumps(connection))
    use_connections()
    return Settings.from_environment()


def test_the_state_database_is_what_a_connection_says(monkeypatch):
    settings = connect(
        monkeypatch,
        *("AIRLOOM_STATE_URL", "airloom_state"),
        **{"conn_type": "postgres", "host": "db", "schema": "airloom", "login": "me", "password": "p@ss/word"},
    )
    assert settings.state_url == "postgresql+psycopg://me:p%40ss%2Fword@db:5432/airloom"
    assert "word" not in repr(settings)


def test_the_online_store_is_what_a_connection_says(monkeypatch):
    settings = connect(
        monkeypatch,
        *("AIRLOOM_ONLINE_URL", "airloom_online"),
        **{"conn_type": "redis", "host": "cache", "port": 6380, "password": "secret", "extra": {"db": 2, "ssl": True}},
    )
    assert settings.online_url == "rediss://:secret@cache:6380/2"


def test_the_login_of_mlflow_goes_where_its_client_looks_for_it(monkeypatch):
    settings = connect(
        monkeypatch,
        *("AIRLOOM_TRACKING_URL", "airloom_mlflow"),
        **{"conn_type": "http", "schema": "https", "host": "mlflow", "login": "me", "password": "secret"},
    )
    assert settings.tracking_url == "https://mlflow"
    assert os.environ["MLFLOW_TRACKING_USERNAME"] == "me"
    assert os.environ["MLFLOW_TRACKING_PASSWORD"] == "secret"


def test_the_keys_of_the_bucket_are_what_a_connection_says(monkeypatch):
    monkeypatch.setenv("AIRLOOM_STORAGE_CONNECTION", "airloom_lake")
    extra = {"region_name": "eu-central-1", "endpoint_url": "http://s3:8333"}
    connection = {"conn_type": "aws", "login": "key", "password": "secret", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_AIRLOOM_LAKE", json.dumps(connection))
    use_connections()
    assert os.environ["AWS_ACCESS_KEY_ID"] == "key"
    assert os.environ["AWS_SECRET_ACCESS_KEY"] == "secret"
    assert os.environ["AWS_REGION"] == "eu-central-1"
    assert os.environ["AWS_ENDPOINT_URL_S3"] == "http://s3:8333"
    monkeypatch.delenv("AIRFLOW_CONN_AIRLOOM_LAKE")
    use_connections()  # asks nobody again


def test_threads_that_ask_for_the_keys_at_once_all_have_them(monkeypatch):
    monkeypatch.setenv("AIRLOOM_STORAGE_CONNECTION", "airloom_lake")
    connection, together = Connection(conn_id="airloom_lake", conn_type="aws", login="key"), Barrier(2, timeout=30)
    monkeypatch.setattr(Connection, "get", lambda _name: (together.wait(), connection)[1])
    with ThreadPoolExecutor(2) as threads:
        for each in [threads.submit(use_connections) for _ in range(2)]:
            each.result()
    assert os.environ["AWS_ACCESS_KEY_ID"] == "key"
    assert "AIRLOOM_STORAGE_CONNECTION" not in os.environ


def test_a_connection_that_is_not_there_is_named(monkeypatch):
    monkeypatch.setenv("AIRLOOM_STATE_URL", "connection:airloom_state")
    with pytest.raises(SetupError, match="AIRFLOW_CONN_AIRLOOM_STATE"):
        use_connections()


@pytest.fixture
def airflow_on_a_server(postgres):
    """The part of Airflow's database that connections are in."""
    from airflow.models import Connection

    url = postgres.create("airflow_connections")
    with open_database(url, "Airflow's database", "").begin() as connection:
        for table in ("team", "connection"):
            Connection.metadata.tables[table].create(connection)
    return url


def test_a_command_on_servers_finds_connections_of_airflows_database(airflow_on_a_server, postgres, tmp_path):
    def ledger():
        given = {
            "AIRFLOW_HOME": str(tmp_path),
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": airflow_on_a_server,
            "AIRLOOM_AIRFLOW_URL": "http://127.0.0.1:9",
            "AIRLOOM_STATE_URL": "connection:airloom_state",
            "PYTHONPATH": str(PROJECT / "plugins"),
        }
        command = [sys.executable, "-W", "ignore", "-c", "from airloom.cli import main; main()"]
        return subprocess.run(
            [*command, "ledger", "flight_delays", "--json"],
            env=os.environ | given,
            capture_output=True,
            text=True,
            timeout=600,
        )

    before = ledger()
    assert (before.returncode, "There is no Airflow connection airloom_state" in before.stderr) == (5, True)
    state = postgres.create("airflow_connections_state")
    upgrade_state(state)
    with open_database(airflow_on_a_server, "Airflow's database", "").begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO connection (conn_id, conn_type, host, port, schema, login, password, is_encrypted,"
            f" is_extra_encrypted) VALUES ('airloom_state', 'postgres', '127.0.0.1', {postgres.port},"
            f" 'airflow_connections_state', 'postgres', '{postgres.password}', false, false)"
        )
    after = ledger()
    assert after.returncode == 0, after.stderr
    assert json.loads(after.stdout)["champions"] == []


def test_settings_that_name_no_connection_are_left_alone(monkeypatch):
    monkeypatch.setenv("AIRLOOM_STATE_URL", "sqlite:///somewhere.db")
    use_connections()
    assert Settings.from_environment().state_url == "sqlite:///somewhere.db"


def test_a_connection_of_another_type_is_refused(monkeypatch):
    with pytest.raises(SetupError, match="redis or postgres"):
        connect(monkeypatch, "AIRLOOM_ONLINE_URL", "airloom_online", conn_type="generic", host="cache", password="hush")
