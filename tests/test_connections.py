"""Settings that name an Airflow connection."""

import json
import os
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from airflow.sdk import Connection

from airloom.connections import use_connections
from airloom.core.errors import SetupError
from airloom.core.settings import Settings


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


def test_settings_that_name_no_connection_are_left_alone(monkeypatch):
    monkeypatch.setenv("AIRLOOM_STATE_URL", "sqlite:///somewhere.db")
    use_connections()
    assert Settings.from_environment().state_url == "sqlite:///somewhere.db"


def test_a_connection_of_another_type_is_refused(monkeypatch):
    with pytest.raises(SetupError, match="redis or postgres"):
        connect(monkeypatch, "AIRLOOM_ONLINE_URL", "airloom_online", conn_type="generic", host="cache", password="hush")
