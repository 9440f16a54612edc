"""What a process of these tests needs, imported once by the process from which all others are forked."""

import importlib
import os

from airloom.stores.feast_loading import load_feast
from airloom.stores.tracking import _ENVIRONMENT, quietly

_LIBRARIES = (
    "airloom.stores.engine",
    "airloom.stores.offline",
    "airloom.stores.online_sqlite",
    "deltalake.fs",
    "feast.infra.passthrough_provider",
    "feast.infra.registry.sql",
    "feast.repo_operations",
    "mlflow.data.pandas_dataset",
    "mlflow.pyfunc",
    "mlflow.store.model_registry.sqlalchemy_workspace_store",
    "mlflow.store.tracking.sqlalchemy_workspace_store",
    "sklearn.metrics",
    "torch",
    "tests.faults.invariants",
    "tests.faults.scenario",
    "tests.worlds.candidates",
)

os.environ.update(_ENVIRONMENT)
load_feast()
with quietly():
    for _library in _LIBRARIES:
        importlib.import_module(_library)
