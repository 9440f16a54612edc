"""MLflow's one door: a quiet client on the state database, prepared once however many processes come first."""

from __future__ import annotations

import fcntl
import logging
import os
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from airloom.core.errors import SetupError
from airloom.core.settings import Settings
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

#: What is done under the lock takes a second, and making MLflow's tables on a busy machine many; nothing takes minutes.
_PATIENCE_SECONDS = 120.0

_POLL_SECONDS = 0.02

#: The locks that a thread of a process holds: who holds one may ask for it again.
_held: set[tuple[Path, int, int]] = set()


@contextmanager
def exclusive(settings: Settings, patience: float = _PATIENCE_SECONDS) -> Iterator[None]:
    """Let one process of this machine at a time change what all share in MLflow.

    Args:
        settings: Where the lock is.
        patience: For how many seconds to wait for others.

    Raises:
        SetupError: Another process has not let go in time.
    """
    file = settings.var / "state" / "mlflow.lock"
    holder = (file, os.getpid(), threading.get_ident())
    if holder in _held:
        yield
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a+") as lock:
        _wait_for(lock, patience)
        lock.truncate(0)
        lock.write(f"{os.getpid()}")
        lock.flush()
        _held.add(holder)
        try:
            yield
        finally:
            _held.discard(holder)


def _wait_for(lock: TextIO, patience: float) -> None:
    """Take the lock; the system takes it back when its process ends, but not while that is stopped."""
    until = time.monotonic() + patience
    while True:
        try:
            return fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= until:
                lock.seek(0)
                raise _never_free(lock.name, lock.read(), patience) from None
            time.sleep(_POLL_SECONDS)


def _never_free(file: str, holder: str, patience: float) -> SetupError:
    return SetupError(
        "Another process keeps MLflow's state to itself.",
        where=file,
        found=f"still locked after {patience:g} s, as it seems by process {holder}",
        expected="a process that lets go within seconds",
        do=f"look at it (ps -fp {holder}); if it hangs or was stopped, end it (kill -9 {holder}), and run this again",
    )


def open_client(settings: Settings) -> MlflowClient:
    """Return a client whose tracking store and registry are the state database.

    On a fresh database MLflow creates its tables, and two processes that do so at once both fail.
    """
    return _open(settings, os.getpid())


@cache
def _open(settings: Settings, _process: int) -> MlflowClient:
    """Open once a process: a client must not be carried over a fork."""
    os.environ.update({name: os.environ.get(name, value) for name, value in _ENVIRONMENT.items()})
    with quietly():
        from mlflow import MlflowClient  # Takes many seconds on a busy machine, and needs no lock.

    with quietly(), exclusive(settings):
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
    with exclusive(settings):
        experiment = client.get_experiment_by_name(pipeline)
        if experiment is None:
            return str(client.create_experiment(pipeline, artifact_location=artifact_root(settings, pipeline).as_uri()))
        if experiment.lifecycle_stage == "deleted":
            client.restore_experiment(experiment.experiment_id)
        return str(experiment.experiment_id)


def artifact_root(settings: Settings, pipeline: str) -> Path:
    """Return the folder of a pipeline's artifacts."""
    return settings.artifacts.resolve() / pipeline
