"""MLflow's one door: a quiet client of its server, or on the state database, which is prepared once."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from airloom.core.settings import Settings
from airloom.stores.locks import exclusive
from airloom.stores.served import served_client, telling
from airloom.stores.state import state_engine

if TYPE_CHECKING:
    from mlflow import MlflowClient

#: Set before MLflow is imported. Its connections must not be pooled, because tasks are forked.
_ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_LOGGING_LEVEL": "ERROR",
    "MLFLOW_LOG_UV_FILES": "false",
    "MLFLOW_UV_AUTO_DETECT": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SQLALCHEMYSTORE_POOLCLASS": "NullPool",
    "GIT_PYTHON_REFRESH": "quiet",
    # A server that is down is tried again after 0, 4, 8, 16, 32 and 64 seconds, so two minutes are waited for. One that
    # accepts and never answers is given up after seven times the timeout and those two minutes, less than six in all.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "6",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
}


def open_client(settings: Settings) -> MlflowClient:
    """Return a client whose tracking store and registry are MLflow's server or, without one, the state database.

    On a fresh database MLflow creates its tables, and two processes that do so at once both fail.

    Raises:
        SetupError: The server or the database does not answer; so does, later, every call of the client.
    """
    return _open(settings, os.getpid())


def has_tables(settings: Settings) -> bool:
    """Tell whether MLflow has its tables in the state database."""
    from sqlalchemy import inspect

    return inspect(state_engine(settings.state_url)).has_table("experiments")


def load_mlflow() -> type[MlflowClient]:
    """Import MlflowClient quietly, which takes many seconds on a busy machine."""
    os.environ.update({name: os.environ.get(name, value) for name, value in _ENVIRONMENT.items()})
    with quietly():
        from mlflow import MlflowClient

    for name in ("mlflow", "alembic"):  # It may have been imported before, with its own idea of a level.
        logging.getLogger(name).setLevel(logging.ERROR)
    client: type[MlflowClient] = MlflowClient
    return client


@cache
def _open(settings: Settings, _process: int) -> MlflowClient:
    """Open once a process: a client must not be carried over a fork."""
    client_of = load_mlflow()  # Needs no lock.
    if settings.tracking_url:
        return served_client(settings)
    with quietly(), exclusive(settings, "mlflow"):
        # The first connection makes SQLite wait for writers instead of failing, for good and for everybody.
        state_engine(settings.state_url).connect().close()
        client = client_of(tracking_uri=settings.tracking_uri, registry_uri=settings.tracking_uri)
        client = telling(client, settings)
        client.search_experiments(max_results=1)
        client.search_registered_models(max_results=1)
    return client


@contextmanager
def quietly() -> Iterator[None]:
    """Keep MLflow's own deprecations, and its advice on types of columns, out of task logs; errors stay."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def experiment_id(settings: Settings, pipeline: str) -> str:
    """Find or create a pipeline's experiment, whose artifacts a server keeps, or else Airloom's own folder."""
    client = open_client(settings)
    with exclusive(settings, "mlflow"):
        experiment = client.get_experiment_by_name(pipeline)
        if experiment is None:
            place = None if settings.tracking_url else artifact_root(settings, pipeline).as_uri()
            with there_already():
                return str(client.create_experiment(pipeline, artifact_location=place))
            experiment = client.get_experiment_by_name(pipeline)
        if experiment.lifecycle_stage == "deleted":
            client.restore_experiment(experiment.experiment_id)
        return str(experiment.experiment_id)


@contextmanager
def there_already() -> Iterator[None]:
    """Let something be created that is there: a request whose answer got lost is repeated."""
    from mlflow.exceptions import MlflowException

    try:
        yield
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise


def artifact_root(settings: Settings, pipeline: str) -> Path:
    """Return the folder of a pipeline's artifacts."""
    return settings.artifacts.resolve() / pipeline
