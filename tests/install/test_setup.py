"""Installing from nothing: a fresh clone makes its own environment, and the wheel holds the whole package."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]

pytestmark = [pytest.mark.install, pytest.mark.timeout(3600)]


def run(*command, cwd, **variables):
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "AIRLOOM", "PYTHON"))}
    environment = {**kept, "PYTHON": sys.executable, **variables}
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    """A clone with an environment of its own."""
    folder = tmp_path_factory.mktemp("fresh") / "clone"
    run("git", "clone", "--quiet", str(PROJECT), str(folder), cwd=folder.parent)
    # The system's Python, not this environment's, makes an environment.
    python = str(Path(sys.base_prefix) / "bin" / "python3.11")
    run("make", "setup", cwd=folder, HOME=str(folder.parent), PYTHON=python)
    return folder


def test_a_fresh_clone_has_every_command(clone):
    told = run(".venv/bin/airloom", "--help", cwd=clone, HOME=str(clone.parent))
    for command in ("up", "down", "demo", "backfill", "status", "doctor"):
        assert command in told


def test_what_is_there_is_not_installed_again(clone):
    assert "Installing" not in run("make", "setup", cwd=clone)


def test_what_is_installed_is_compiled(clone):
    for package in ("airflow", "mlflow", "sklearn"):
        [folder] = (clone / ".venv" / "lib").glob(f"python*/site-packages/{package}")
        assert list((folder / "__pycache__").glob("__init__.*.pyc"))


def test_the_wheel_holds_every_module_and_every_file_beside_them(tmp_path):
    # Building leaves files beside the source.
    run("git", "clone", "--quiet", str(PROJECT), "source", cwd=tmp_path)
    run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", ".", "./source", cwd=tmp_path)
    [wheel] = tmp_path.glob("airloom-*.whl")
    there = {name for name in zipfile.ZipFile(wheel).namelist() if name.startswith("airloom/")}
    tracked = run("git", "ls-files", "plugins/airloom", cwd=PROJECT).split()
    assert {name.removeprefix("plugins/") for name in tracked} - there == set()
