"""Preloading: import the heavy libraries once, in the process that forks tasks.

A listener, Airflow's supported hook, runs it when the scheduler starts and before LocalExecutor forks its workers;
every task is forked from these and finds the libraries in memory. `AIRLOOM_PRELOAD=1`, set for the scheduler alone,
switches it on. Importing starts no threads and opens no connection, which is what makes the fork safe
(docs/adr/0005-preloading.md).
"""

from __future__ import annotations

import gc
import importlib
import logging
import os
import pkgutil
import time
import warnings
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from airflow.listeners import hookimpl

from airloom.core.declaration import read_pipelines
from airloom.core.places import S3Path
from airloom.core.settings import Settings
from airloom.flavours.estimator_files import load_skops
from airloom.steps.sql_columns import columns_read
from airloom.stores.feast_loading import load_feast

log = logging.getLogger(__name__)

LIBRARIES = (
    "airflow.providers.common.compat.lineage.hook",
    "airflow.providers.common.sql.hooks.lineage",
    "airflow.sdk.lineage",
    "pandas",
    "pyarrow.dataset",
    "deltalake",
    "duckdb",
    "deltalake.fs",
    "feast.infra.passthrough_provider",
    "airloom.stores.engine",
    "airloom.stores.offline",
    "airloom.stores.online",
    "airloom.lineage.custom",
    "great_expectations",
    "mlflow.pyfunc",
    "mlflow.data.pandas_dataset",
    "mlflow.store.tracking.sqlalchemy_workspace_store",
    "mlflow.store.model_registry.sqlalchemy_workspace_store",
    "alembic.command",
    "sklearn.ensemble",
    "torch",
    "torch._dynamo",
)

#: What tasks are made of, every module; importing them took each task 50 ms. Named and not imported: some lie above.
PACKAGES = ("airloom.operators", "airloom.scheduling", "airloom.steps")


@hookimpl
def on_starting(component: Any) -> None:
    """Preload when a component of Airflow starts whose environment asks for it; a task that starts is no component."""
    if type(component).__name__ == "Job" and os.environ.get("AIRLOOM_PRELOAD") == "1":
        preload()


def preload() -> float:
    """Import every heavy library.

    Returns:
        Seconds that it took.
    """
    started = time.monotonic()
    # They are a million objects that stay: to look through them for garbage again and again was a third of the time,
    # and a tenth of what the scheduler and the tasks do afterwards.
    gc.set_threshold(100_000, 20, 10)
    load_skops()  # First: it asks every module that is loaded for the ufuncs of scipy, and later there are 7,000.
    load_feast()
    names = [*LIBRARIES, *_clients(Settings.from_environment()), *_modules()]
    for name in names:
        importlib.import_module(name)
    _follow_sql()
    # The libraries have put filters of their own before that of PYTHONWARNINGS (airloom.launcher.environment).
    warnings.filterwarnings("ignore", "GitWildMatchPattern", DeprecationWarning)
    seconds = time.monotonic() - started
    log.info("Preloaded %d modules and their libraries in %.1f s; tasks find them in memory.", len(names) + 2, seconds)
    return seconds


def _clients(settings: Settings) -> Iterator[str]:
    """Name what speaks to the servers that this installation has."""
    if isinstance(settings.storage, S3Path):
        yield "boto3.s3.transfer"
    if settings.state_url.startswith("postgresql"):
        yield "psycopg"
    if settings.online_url.startswith("redis"):
        yield "redis"
    if settings.tracking_url:
        yield from ("mlflow.store.tracking.rest_store", "mlflow.store.model_registry.rest_store")
        yield "mlflow.store.artifact.mlflow_artifacts_repo"


def _modules() -> Iterator[str]:
    for package in PACKAGES:
        for module in pkgutil.iter_modules(importlib.import_module(package).__path__, f"{package}."):
            yield module.name


def _follow_sql() -> None:
    """Follow the columns of every feature view's SQL, for lineage; tasks follow only what has changed since."""
    include = Settings.from_environment().include
    for pipeline in read_pipelines(include)[0]:
        for view in pipeline.features.views.values():
            with suppress(OSError):  # the task that needs the file says so
                columns_read((include / pipeline.name / view.sql).read_text(encoding="utf-8"))
