"""An installation on one machine that has lived a little, and servers that it can move to."""

import dataclasses
import itertools
import json

import pytest
from sqlalchemy import create_engine, inspect, text

from airloom.core.settings import Settings
from airloom.stores.feast_loading import load_feast
from airloom.stores.state_schema import upgrade_state
from airloom.stores.tracking import experiment_id
from tests.servers.mlflow_server import running_mlflow
from tests.worlds.installation import settings_at

load_feast()
#: Each test moves to databases and a prefix of its own.
_number = itertools.count(1)


@pytest.fixture(scope="session")
def lived(tmp_path_factory):
    """Two nights of training, a rollback, a pin, features online, lineage of two days; and a pipeline yet to train."""
    from tests.faults.scenario import live, prepare

    settings = settings_at(tmp_path_factory.mktemp("lived"))
    prepare(settings)
    live(settings)
    experiment_id(settings, "untrained")
    settings.lineage.parent.mkdir(parents=True, exist_ok=True)
    moments = ("2024-01-09T23:59:59.5Z", "2024-01-10T00:00:00.25Z", "2024-01-10T02:00:00.125Z")
    lines = [json.dumps({"eventTime": moment, "job": {"name": "late"}}) for moment in moments]
    settings.lineage.write_text("\n".join([*lines[:2], "not an event, as after a power cut", lines[2]]) + "\n")
    return settings


@dataclasses.dataclass(frozen=True)
class House:
    """An installation on servers, in which nothing has run yet."""

    settings: Settings
    mlflow_database: str


@pytest.fixture(scope="session")
def served(postgres, tmp_path_factory):
    """An MLflow server, and the database that it keeps runs and models in."""
    database = postgres.create("moved_mlflow")
    with running_mlflow(tmp_path_factory.mktemp("served"), database) as server:
        yield server, database


@pytest.fixture
def house(lived, served, postgres, bucket, tmp_path, monkeypatch):
    """PostgreSQL for the ledger, and an MLflow server that knows nothing; tables and files in a bucket."""
    server, database = served
    state = postgres.create(f"moved_state_{next(_number)}")
    upgrade_state(state)
    monkeypatch.setenv("MLFLOW_BACKEND_STORE_URI", database)
    yield House(Settings(lived.project, tmp_path / "var", state, storage=bucket, tracking_url=server.url), database)
    _forget(database)


def _forget(database):
    """Take everything out of MLflow's tables but the experiment that every MLflow has."""
    engine = create_engine(database)
    with engine.begin() as connection:
        connection.execute(text("CREATE TEMP TABLE kept AS SELECT * FROM experiments WHERE experiment_id = 0"))
        tables = set(inspect(connection).get_table_names()) - {"alembic_version", "kept"}
        connection.execute(text(f"TRUNCATE {', '.join(sorted(tables))}"))
        connection.execute(text("INSERT INTO experiments SELECT * FROM kept"))
    engine.dispose()
