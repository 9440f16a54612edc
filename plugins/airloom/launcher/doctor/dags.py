"""Whether pipelines can be read, DAG files imported, how long that takes, and whether Airflow knows the timetable."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from airloom.core.declaration import read_pipelines
from airloom.core.errors import SetupError
from airloom.core.wording import counted
from airloom.launcher.backfill import STAGES
from airloom.launcher.doctor.findings import Finding, ok, told, warning, wrong
from airloom.launcher.doctor.subject import Subject
from airloom.launcher.import_errors import DO, described

_SLOW_SECONDS = 5.0
#: Airflow's own dag-processor gives a file up after as long.
_PATIENCE_SECONDS = 50
#: The DAG file that raises what is wrong with declarations.
_DECLARATIONS = "declarations.py"
#: The last call alone may be a library's, and not the line that the user can correct.
_WITH_EVERY_CALL = {"AIRFLOW__CORE__DAGBAG_IMPORT_ERROR_TRACEBACK_DEPTH": "100"}


def dags(subject: Subject) -> Iterator[Finding]:
    """Read every declaration, and parse every file in a new process, as Airflow's dag-processor does."""
    pipelines, declared = read_pipelines(subject.settings.include)
    for error in declared:
        broken = told("DAGs", error)
        yield replace(broken, do=broken.do or DO)
    found = _parsed(subject)
    for name in found["plugins"]:
        yield wrong("DAGs", f"{name}: the plugin cannot be loaded", "correct the file; `airflow plugins` logs why")
    for name, error in sorted(found["errors"].items()):
        if declared and Path(name).name == _DECLARATIONS:
            continue
        said = described(error)
        yield wrong("DAGs", said if f"{name}, line " in said else f"{name}: {said}", DO)
    if not found["timetable"]:
        do = "see that AIRFLOW__CORE__PLUGINS_FOLDER is the folder plugins of the project"
        yield wrong("DAGs", "Airflow has not loaded the timetable Nightly", do)
    wanted = {f"{pipeline.name}.{name}" for pipeline in pipelines for name in (*STAGES, "champion")}
    missing = sorted(wanted - set(found["dags"]))
    # A file that cannot be imported is why its DAGs are missing.
    if missing and _is_well(found):
        do = "see that AIRFLOW__CORE__DAGS_FOLDER is the folder dags of the project, with all of its files"
        yield wrong("DAGs", f"{counted(len(missing), 'DAG')} of pipelines are not there: {', '.join(missing)}", do)
    elif found["seconds"] > _SLOW_SECONDS or _is_well(found):
        yield _timed(found)


def _is_well(found: dict[str, Any]) -> bool:
    return bool(not found["errors"] and not found["plugins"] and found["timetable"])


def _timed(found: dict[str, Any]) -> Finding:
    said = f"{counted(len(found['dags']), 'DAG')} parsed in {found['seconds']:.1f} s"
    if found["seconds"] <= _SLOW_SECONDS:
        return ok("DAGs", said)
    do = f"move what {found['slowest']} does at import into tasks: Airflow parses every file again and again"
    return warning("DAGs", said, do)


def _parsed(subject: Subject) -> dict[str, Any]:
    command = [sys.executable, "-W", "ignore", "-m", "airloom.launcher.doctor.parsing"]
    # On a busy machine everything takes as many times longer as there are processes for each core.
    patience = _PATIENCE_SECONDS * max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))
    try:
        done = subprocess.run(
            command,
            cwd=subject.settings.project,
            env={**os.environ, **_WITH_EVERY_CALL},
            capture_output=True,
            text=True,
            timeout=patience,
            check=True,
        )
        found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return found
    except subprocess.TimeoutExpired:
        raise SetupError("The DAG files were not parsed in time.", found=f"{patience:.0f} s") from None
    except subprocess.CalledProcessError as error:
        raise SetupError(
            "The DAG files could not be parsed.", found=described(error.stderr), do="run: airflow dags list"
        ) from None
