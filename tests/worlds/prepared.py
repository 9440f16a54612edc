"""A prepared installation of the tests' pipelines, with no server running, made once and copied.

Preparing takes some ten seconds of one processor: Airflow's database, MLflow's tables, Feast's registry, secrets.
"""

import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).parents[2]
#: The folder with the pipelines of the tests, as a project has one.
INCLUDE = Path(__file__).with_name("include")
#: The smallest pipeline that runs every stage.
TOY = Path(__file__).with_name("toy")

_PREPARE = """
import os
from airloom.core.settings import Settings
from airloom.launcher.environment import environment
from airloom.launcher.ports import Ports
from airloom.launcher.prepare import prepare

settings, ports = Settings.from_environment(), Ports.from_environment()
os.environ.update(environment(settings, ports))
prepared = prepare(settings, ports, print)
assert not prepared.broken, prepared.broken
"""


def make_project(project: Path, include: Path = INCLUDE) -> None:
    """Make the folder of a project: links to the distribution, and pipelines of one's own."""
    project.mkdir(parents=True)
    for name in ("config", "dags", "plugins", "requirements.txt"):
        (project / name).symlink_to(PROJECT / name)
    shutil.copytree(include, project / "include", ignore=shutil.ignore_patterns("__pycache__"))


def own_environment(**variables: str) -> dict[str, str]:
    """Return the environment of a command of another installation than this process's."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "AIRLOOM"))}
    return own | variables


def prepared_once(folder: Path) -> Path:
    """Return a folder with a prepared installation; of several processes the first makes it and the others wait."""
    folder.mkdir(parents=True, exist_ok=True)
    done = folder / "prepared"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            _prepare(folder)
            done.touch()
    return folder


def _prepare(folder: Path) -> None:
    for part in ("project", "var"):
        shutil.rmtree(folder / part, ignore_errors=True)
    make_project(folder / "project")
    environment = own_environment(
        AIRLOOM_PROJECT=str(folder / "project"),
        AIRLOOM_VAR=str(folder / "var"),
        PYTHONPATH=str(PROJECT / "plugins"),
    )
    command = [sys.executable, "-W", "ignore", "-c", _PREPARE]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise AssertionError(f"preparing an installation: {done.returncode}\n{done.stdout}\n{done.stderr}")


def copy_of(template: Path, folder: Path) -> Path:
    """Copy a prepared installation into a folder of its own; nothing in it names the template any more."""
    make_project(folder / "project")
    shutil.copytree(template / "var", folder / "var", symlinks=True)
    for file in (folder / "var" / "run" / "prepared.json", folder / "var" / "airflow" / "airflow.cfg"):
        file.write_text(file.read_text().replace(str(template), str(folder)))
    return folder
