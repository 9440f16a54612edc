"""A real MLflow registry with nine versions of a small model, made once and copied for every test that changes it."""

import shutil
from pathlib import Path

from airloom.stores.models import ModelRegistry
from airloom.stores.runs import RunKey, TrainingRuns
from airloom.stores.tracking import open_client
from tests.worlds import candidates
from tests.worlds.installation import settings_at
from tests.worlds.nights import COLUMNS, NIGHT, example_rows

PIPELINE = "late"
VERSIONS = 9
MODEL = candidates.ByRate(1.0)


def make(folder: Path, versions=VERSIONS):
    """Register the versions in a new state database."""
    settings = settings_at(folder)
    for number in range(1, versions + 1):
        register(settings, f"training {number}")
    return settings


def register(settings, training="another training"):
    """Register one more version and return it."""
    rows, registry = example_rows()[COLUMNS.all], ModelRegistry(settings, PIPELINE)
    with TrainingRuns(settings, PIPELINE).running(RunKey(NIGHT, "rate", training, "p", "s"), {}) as log:
        registry.save(log.run_id, "rate", MODEL, rows, MODEL.predict(rows))
    return registry.register(log.run_id, {})


def copy(template, folder: Path):
    """Copy the state database; the files of the models stay where they are and are shared."""
    settings = settings_at(folder)
    shutil.copytree(template.var / "state", settings.var / "state")
    return settings


def delete(settings, version):
    """Delete a version, as somebody does in MLflow."""
    open_client(settings).delete_model_version(PIPELINE, str(version))
