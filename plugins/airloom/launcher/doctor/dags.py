"""Whether DAG files can be imported, how long that takes, and whether Airflow has loaded the timetable."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

from airloom.core.errors import SetupError
from airloom.core.wording import counted
from airloom.launcher.doctor.findings import Finding, ok, plain, warning, wrong
from airloom.launcher.doctor.subject import Subject

_SLOW_SECONDS = 5.0
_PATIENCE_SECONDS = 120
_LINE = re.compile(r'File "[^"]+", line (\d+)')


def dags(subject: Subject) -> Iterator[Finding]:
    """Parse every file in a new process, as Airflow's dag-processor does."""
    found = _parsed(subject)
    for name, error in sorted({**found["plugins"], **found["errors"]}.items()):
        yield wrong("DAGs", _broken(name, error), "correct the file; Airflow shows the whole error under Dag Errors")
    if not found["timetable"]:
        do = "see that AIRFLOW__CORE__PLUGINS_FOLDER is the folder plugins of the project"
        yield wrong("DAGs", "Airflow has not loaded the timetable Nightly", do)
    yield from _timed(found)


def _timed(found: dict[str, Any]) -> Iterator[Finding]:
    said = f"{counted(found['dags'], 'DAG')} parsed in {found['seconds']:.1f} s"
    if found["seconds"] > _SLOW_SECONDS:
        do = f"move what {found['slowest']} does at import into tasks: Airflow parses every file again and again"
        yield warning("DAGs", said, do)
    elif not found["errors"] and not found["plugins"] and found["timetable"]:
        yield ok("DAGs", said)


def _parsed(subject: Subject) -> dict[str, Any]:
    command = [sys.executable, "-W", "ignore", "-m", "airloom.launcher.doctor.parsing"]
    try:
        done = subprocess.run(
            command,
            cwd=subject.settings.project,
            env={**os.environ},
            capture_output=True,
            text=True,
            timeout=_PATIENCE_SECONDS,
            check=True,
        )
        found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return found
    except subprocess.TimeoutExpired:
        raise SetupError("The DAG files were not parsed in time.", found=f"{_PATIENCE_SECONDS} s") from None
    except subprocess.CalledProcessError as error:
        last = plain("".join(error.stderr.splitlines()[-1:]))
        raise SetupError("The DAG files could not be parsed.", found=last, do="run: airflow dags list") from None


def _broken(name: str, error: str) -> str:
    """Name file, line and what is wrong, from the end of a traceback."""
    lines, numbers = [line.strip() for line in error.strip().splitlines()], _LINE.findall(error)
    what = next((line for line in reversed(lines) if re.match(r"[\w.]+(Error|Exception|Warning)?: ", line)), lines[-1])
    return f"{name}{f', line {numbers[-1]}' if numbers else ''}: {plain(what)}"
