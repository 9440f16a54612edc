"""MLflow's runs and models of another installation, with the ids and the numbers that they have there."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airloom.core.errors import SetupError, UsageError
from airloom.core.settings import Settings
from airloom.core.wording import counted
from airloom.launcher.brought import Brought
from airloom.stores.copied_files import copy_files
from airloom.stores.copied_rows import Row, copy_rows
from airloom.stores.database import open_database, without_password
from airloom.stores.locks import exclusive
from airloom.stores.served import unanswered
from airloom.stores.state import state_engine
from airloom.stores.tracking import open_client, quietly

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine, Table

#: What MLflow's own server reads: the database that it keeps runs and models in.
_DATABASE = "MLFLOW_BACKEND_STORE_URI"
_PART = "runs and models"
#: Every MLflow has this experiment, which pipelines do not use.
_DEFAULT = 0


def import_models(source: Settings, settings: Settings) -> Brought:
    """Copy the files of models and then, in one transaction, everything that MLflow's tables say.

    Its interface gives runs new ids, and the ledger, verdicts and lineage name the old ones: the database is written.

    Raises:
        UsageError: MLflow has a server, and its database is not named.
        SetupError: It is not the server's database, or of another version of MLflow.
        DataError: It has other runs or models of these pipelines.
    """
    client = open_client(settings)
    database = _database(settings)
    with exclusive(settings, "mlflow"), state_engine(source.state_url).begin() as there:
        if not _has_experiments(there):
            return Brought(_PART, changed=False, outcome="none were made")
        with database.connect() as here:
            _require_database_of(client.get_experiment(str(_DEFAULT)).creation_time, here)
            _require_same_version(there, here)
        moved = _locations(there, settings)
        for location in moved.values():
            _copy_artifacts(source.artifacts / Path(location).name, location, settings)
        with database.begin() as here:
            copied = {
                table.name: copy_rows(there, here, table, partial(_change, table.name, moved)) for table in _tables()
            }
            _count_on(here)
    outcome = f"{counted(copied['runs'], 'run')} and {counted(copied['model_versions'], 'version')} copied"
    return Brought(_PART, changed=any(copied.values()), outcome=outcome)


def _database(settings: Settings) -> Engine:
    if not settings.tracking_url:
        return state_engine(settings.state_url)
    url = os.environ.get(_DATABASE)
    if not url:
        raise UsageError(
            "MLflow's server keeps runs in a database, and nothing says in which.",
            where=_DATABASE,
            expected="its URL, such as postgresql+psycopg://mlflow:password@host/mlflow",
            do="set it as it is set for the server",
        )
    return open_database(url, "MLflow's database", _DATABASE)


def _has_experiments(there: Connection) -> bool:
    from sqlalchemy import inspect

    return inspect(there).has_table("experiments")


def _require_same_version(there: Connection, here: Connection) -> None:
    query = "SELECT version_num FROM alembic_version"
    theirs, ours = (connection.exec_driver_sql(query).scalar() for connection in (there, here))
    if theirs != ours:
        raise SetupError(
            "MLflow's tables are of two versions.",
            where=without_password(here.engine.url),
            found=f"revision {ours}, and {theirs} in the installation to import",
            expected="the same revision",
            do="run mlflow db upgrade, with its URL, for the older one",
        )


def _require_database_of(created: int, here: Connection) -> None:
    """Make sure that the database is the one that MLflow reads, by the moment in which it was made."""
    from sqlalchemy import text

    query = text("SELECT creation_time FROM experiments WHERE experiment_id = :default")
    if not _has_experiments(here) or here.scalar(query, {"default": _DEFAULT}) != created:
        raise UsageError(
            "This is not the database of MLflow's server.",
            where=f"{_DATABASE}: {without_password(here.engine.url)}",
            expected="the database that the server at AIRLOOM_TRACKING_URL was started with",
        )


def _locations(there: Connection, settings: Settings) -> dict[str, str]:
    """Return where each experiment's files are on that machine and where they are to be, also if there are none yet.

    The folder may have been moved since: only the last part of a location is the same here.
    """
    from sqlalchemy import text

    query = text("SELECT artifact_location FROM experiments WHERE experiment_id <> :default")
    old = there.scalars(query, {"default": _DEFAULT})
    root = "mlflow-artifacts:" if settings.tracking_url else settings.artifacts.resolve().as_uri()
    return {location: f"{root}/{Path(location).name}" for location in old if location.startswith("file:")}


def _copy_artifacts(folder: Path, location: str, settings: Settings) -> None:
    """Copy an experiment's files, to a server by way of itself."""
    if not folder.is_dir():
        return
    if not settings.tracking_url:
        copy_files(folder, settings.artifacts.resolve() / folder.name, lambda _done, _of: None)
        return
    with quietly():
        from mlflow.exceptions import MlflowException
        from mlflow.store.artifact import artifact_repository_registry as repositories

        try:
            repositories.get_artifact_repository(location, settings.tracking_url).log_artifacts(str(folder))
        except (MlflowException, OSError) as error:
            raise unanswered(settings, error) from error


def _tables() -> list[Table]:
    """Return MLflow's tables, those first that others refer to."""
    with quietly():
        from mlflow.store.db.base_sql_model import Base
        from mlflow.store.model_registry.dbmodels import models as _registry  # noqa: F401
        from mlflow.store.tracking.dbmodels import models as _tracking  # noqa: F401

    return list(Base.metadata.sorted_tables)


def _change(table: str, moved: Mapping[str, str], row: Row) -> Row | None:
    """Say what a row is where the files have moved: what begins with an old location begins with the new one."""
    if table == "experiments" and row["experiment_id"] == _DEFAULT:
        return None
    return {name: _relocated(value, moved) for name, value in row.items()}


def _relocated(value: Any, moved: Mapping[str, str]) -> Any:
    if not isinstance(value, str):
        return value
    old = next((old for old in moved if value == old or value.startswith(f"{old}/")), None)
    return value if old is None else moved[old] + value.removeprefix(old)


def _count_on(here: Connection) -> None:
    """Let PostgreSQL number the next experiment after those that were copied with their numbers."""
    if here.dialect.name == "postgresql":
        here.exec_driver_sql(
            "SELECT setval(pg_get_serial_sequence('experiments', 'experiment_id'), greatest(max(experiment_id), 1)) "
            "FROM experiments"
        )
