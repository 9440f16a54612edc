"""MLflow's one door: a quiet client on the state database, prepared once however many processes come first."""

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
}


def open_client(settings: Settings) -> MlflowClient:
    """Return a client whose tracking store and registry are the state database.

    On a fresh database MLflow creates its tables, and two processes that do so at once both fail.
    """
    return _open(settings, os.getpid())


def has_tables(settings: Settings) -> bool:
    """Tell whether MLflow has its tables in the state database."""
    from sqlalchemy import inspect

    return inspect(state_engine(settings.state_url)).has_table("experiments")


@cache
def _open(settings: Settings, _process: int) -> MlflowClient:
    """Open once a process: a client must not be carried over a fork."""
    os.environ.update({name: os.environ.get(name, value) for name, value in _ENVIRONMENT.items()})
    with quietly():
        from mlflow import MlflowClient  # Takes many seconds on a busy machine, and needs no lock.

    with quietly(), exclusive(settings, "mlflow"):
        for name in ("mlflow", "alembic"):  # It may have been imported before, with its own idea of a level.
            logging.getLogger(name).setLevel(logging.ERROR)
        # The first connection makes SQLite wait for writers instead of failing, for good and for everybody.
        state_engine(settings.state_url).connect().close()
        client = MlflowClient(tracking_uri=settings.state_url, registry_uri=settings.state_url)
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
    """Find or create a pipeline's experiment, whose artifacts are kept in Airloom's own folder."""
    client = open_client(settings)
    with exclusive(settings, "mlflow"):
        experiment = client.get_experiment_by_name(pipeline)
        if experiment is None:
            return str(client.create_experiment(pipeline, artifact_location=artifact_root(settings, pipeline).as_uri()))
        if experiment.lifecycle_stage == "deleted":
            client.restore_experiment(experiment.experiment_id)
        return str(experiment.experiment_id)


def artifact_root(settings: Settings, pipeline: str) -> Path:
    """Return the folder of a pipeline's artifacts."""
    return settings.artifacts.resolve() / pipeline
