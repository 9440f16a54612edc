"""What a deployment needs besides, before its servers start: Airflow's own tables, a login, a pool."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import version
from pathlib import Path

from airloom.core.errors import SetupError
from airloom.core.settings import Settings
from airloom.launcher.brought import Brought
from airloom.launcher.environment import secrets_of
from airloom.launcher.pools import CHAMPION_POOL, CHAMPION_SLOTS, CHAMPION_WHY

Report = Callable[[str], None]


def deploy(settings: Settings, report: Report) -> Iterator[Brought]:
    """Make what is missing; what is there is left alone.

    Args:
        settings: The places of the installation.
        report: Is told what is being done.

    Yields:
        Each part when it is done.

    Raises:
        SetupError: A server cannot be reached, or refuses.
    """
    report("upgrading Airflow's database")
    was_current = _airflow_is_current(settings.project)
    migrate_airflow(settings.project, os.environ)
    outcome = f"tables of version {version('apache-airflow')}{', as they were' if was_current else ''}"
    yield Brought("Airflow", changed=not was_current, outcome=outcome)
    report("looking at the pools")
    yield _create_pool(settings.project)
    new = secrets_of(settings).create()
    yield Brought("login", changed=new, outcome="created" if new else "as it was")


def migrate_airflow(project: Path, variables: Mapping[str, str]) -> None:
    """Bring Airflow's database to what the installed Airflow works with.

    Args:
        project: The folder of the project.
        variables: The environment, which names the database.

    Raises:
        SetupError: It could not be done.
    """
    done = _airflow(project, variables, "db", "migrate")
    if done.returncode != 0:
        tail = "\n".join((done.stdout + done.stderr).splitlines()[-10:])
        raise SetupError("Airflow's database could not be created or upgraded.", found=f"\n{tail}")


def _airflow_is_current(project: Path) -> bool:
    """Whether Airflow's database has the tables of the installed Airflow, and those of its providers."""
    return _airflow(project, os.environ, "db", "check-migrations", "--migration-wait-timeout", "0").returncode == 0


def _create_pool(project: Path) -> Brought:
    """Make the pool unless it is there: a person may have resized it."""
    if _airflow(project, os.environ, "pools", "get", CHAMPION_POOL).returncode == 0:
        return Brought("pool", changed=False, outcome=f"{CHAMPION_POOL}, as it was")
    done = _airflow(project, os.environ, "pools", "set", CHAMPION_POOL, str(CHAMPION_SLOTS), CHAMPION_WHY)
    if done.returncode != 0:
        raise SetupError(f"The pool {CHAMPION_POOL} could not be created.", found=done.stderr.strip()[-500:])
    return Brought("pool", changed=True, outcome=f"{CHAMPION_POOL} created")


def _airflow(project: Path, variables: Mapping[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "airflow", *arguments]
    return subprocess.run(command, env=dict(variables), cwd=project, capture_output=True, text=True, check=False)
