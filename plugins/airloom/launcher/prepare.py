"""First use: folders, secrets and databases, made once and left alone afterwards."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from airloom.core.declaration import read_pipelines
from airloom.core.errors import DeclarationError
from airloom.core.fingerprint import fingerprint
from airloom.core.pipeline import Pipeline
from airloom.core.settings import Settings
from airloom.launcher.deployment import migrate_airflow
from airloom.launcher.environment import environment, metadata_database, secrets_of
from airloom.launcher.features import apply_pipeline
from airloom.launcher.ports import Ports

Report = Callable[[str], None]


@dataclass(frozen=True)
class Prepared:
    """What was made just now.

    Args:
        new_password: Whether the login is new, so that its owner has not seen it yet.
        applied: The pipelines whose features were registered.
        broken: One error for each pipeline that could not be prepared.
    """

    new_password: bool
    applied: tuple[str, ...]
    broken: tuple[DeclarationError, ...]


def prepare(settings: Settings, ports: Ports, report: Report) -> Prepared:
    """Make everything that an installation needs before its servers start; what is there is left alone.

    Args:
        settings: The places of the installation.
        ports: Where its servers answer.
        report: Is told what is being made.

    Raises:
        SetupError: A database could not be made.
    """
    for folder in (settings.var, settings.var / "airflow", settings.var / "run", settings.delivery):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    new_password = secrets_of(settings).create()
    _once(settings, "airflow", version("apache-airflow"), lambda: _migrate_airflow(settings, ports, report))
    _upgrade_state(settings, report)
    if not settings.tracking_url:
        _once(settings, "mlflow", [version("mlflow"), _database(settings)], lambda: _create_mlflow(settings, report))
    # A broken pipeline breaks only its own DAGs; the others are prepared.
    pipelines, broken = read_pipelines(settings.include)
    applied = []
    for pipeline in pipelines:
        try:
            applied += [pipeline.name] if _apply_once(settings, pipeline, report) else []
        except DeclarationError as error:
            broken.append(error)
    return Prepared(new_password, tuple(applied), tuple(broken))


def _migrate_airflow(settings: Settings, ports: Ports, report: Report) -> None:
    report("creating Airflow's database")
    migrate_airflow(settings.project, {**os.environ, **environment(settings, ports)})
    with closing(sqlite3.connect(metadata_database(settings))) as database:
        # Readers and the one writer no longer wait for each other. The file remembers it.
        database.execute("PRAGMA journal_mode = WAL")


def _upgrade_state(settings: Settings, report: Report) -> None:
    """Bring the ledger's tables to what this code works with, before several tasks would need them at once."""
    report("looking at the state database")
    from airloom.launcher.upgrade import require_ledger_file
    from airloom.stores.state_schema import upgrade_state

    require_ledger_file(settings)
    upgrade_state(settings.state_url)


def _create_mlflow(settings: Settings, report: Report) -> None:
    """Create MLflow's tables before several tasks would try at once."""
    report("looking at MLflow's tables")
    from airloom.stores.tracking import open_client

    settings.artifacts.mkdir(parents=True, exist_ok=True)
    open_client(settings)


def _apply_once(settings: Settings, pipeline: Pipeline, report: Report) -> bool:
    content = [folder_fingerprint(settings.include / pipeline.name), _database(settings)]

    def apply() -> None:
        report(f"registering the features of {pipeline.name}")
        apply_pipeline(settings, pipeline)

    return _once(settings, f"features.{pipeline.name}", content, apply)


def _database(settings: Settings) -> str:
    """Name the database that something was made in: another one has nothing of it yet."""
    from airloom.stores.database import without_password

    return without_password(settings.state_url)


def _once(settings: Settings, what: str, state: object, make: Callable[[], None]) -> bool:
    """Make something unless it was made for this very state before."""
    file = settings.var / "run" / "prepared.json"
    done = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    if done.get(what) == state:
        return False
    make()
    draft = file.with_suffix(".draft")
    draft.write_text(json.dumps(done | {what: state}), encoding="utf-8")
    draft.replace(file)
    return True


def folder_fingerprint(folder: Path) -> str:
    """Return the fingerprint of every file of a folder that people write."""
    files = [file for file in sorted(folder.rglob("*")) if file.is_file() and "__pycache__" not in file.parts]
    return fingerprint({str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest() for file in files})
