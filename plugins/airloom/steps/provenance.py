"""Where a training comes from: the lake, the code, the machine and the pipeline's folder, kept with its run."""

from __future__ import annotations

import hashlib
import inspect
import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from airloom import __version__
from airloom.core.errors import DeclarationError
from airloom.core.expectations import Expectation, read_suite
from airloom.core.fingerprint import fingerprint
from airloom.core.pipeline import Pipeline
from airloom.core.records import TrainingSet
from airloom.core.settings import Settings
from airloom.steps.candidates import Fit
from airloom.steps.machine import JOINING, installed_versions, machine
from airloom.steps.references import load_reference

#: The names under which the whole declaration, and `definitions`, are kept with a run.
DECLARATION, DEFINITIONS = "declaration", "definitions"

_GIT_SECONDS = 10


def provenance_tags(training: TrainingSet, settings: Settings) -> dict[str, str]:
    """Say what was read, by which code and where it ran."""
    return {
        "airloom.lake": json.dumps(training.lake, sort_keys=True),
        **({"airloom.left_out": json.dumps(training.to_xcom()["left_out"])} if training.left_out else {}),
        "airloom.code": code_version(settings.project),
        "airloom.degraded": str(training.degraded).lower(),
        **({"airloom.leaks": "; ".join(map(str, training.leaks))} if training.leaks else {}),
        "airloom.libraries": json.dumps(installed_versions(JOINING)),
        **{f"airloom.{name}": value for name, value in machine().items()},
    }


def code_version(project: Path) -> str:
    """Return the project's git commit, or the package's version where there is no repository."""
    head = project / ".git" / "HEAD"
    with suppress(OSError):  # a worktree, packed references, or no repository: git knows
        name = head.read_text().strip()
        if name.startswith("ref: "):
            name = (head.parent / name.removeprefix("ref: ")).read_text().strip()
        return name
    git = shutil.which("git")
    command = [git or "git", "-C", str(project), "rev-parse", "HEAD"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_GIT_SECONDS) if git else None
    return done.stdout.strip() if done and done.returncode == 0 else f"airloom {__version__}"


def recipe(pipeline: Pipeline, settings: Settings) -> str:
    """Return the fingerprint of how a pipeline trains: its declaration, and the code of its candidates."""
    candidates = pipeline.train.candidates.values()
    return fingerprint([pipeline.digest, *(_candidate_digest(each.fit, settings) for each in candidates)])


def _candidate_digest(reference: str, settings: Settings) -> str:
    """Return the digest of a candidate's code; code that cannot be imported has one too, for it fails every night."""
    try:
        return source_digest(load_reference(reference, settings.project))
    except Exception:  # noqa: BLE001 - a user's module may fail in any way when it is imported
        return f"{reference} cannot be imported"


def source_digest(function: Fit) -> str:
    """Return the digest of the module that a candidate is written in: new code is a new training."""
    source = inspect.getsource(inspect.getmodule(function) or function)
    return hashlib.sha256(source.encode()).hexdigest()[:16]


def definitions(pipeline: Pipeline, settings: Settings) -> dict[str, dict[str, Any]]:
    """Say what the pipeline's folder defines now, so that two trainings can be told apart by it later.

    Returns:
        `declaration`, its values by dotted key; `expectations`, how each must hold; `features`, the digest of every
        file that defines them or the label. A file that cannot be read is said so: a training does not fail for it.
    """
    folder = settings.include / pipeline.name
    module = settings.project / f"{pipeline.features.module.replace('.', '/')}.py"
    queries = [view.sql for view in pipeline.features.views.values()]
    queries += [pipeline.label.sql] if pipeline.label.sql else []
    files = {sql.as_posix(): folder / sql for sql in queries}
    return {
        "declaration": dict(_flat("", pipeline.model_dump(mode="json"))),
        "expectations": {
            name: how
            for table, declared in pipeline.tables.items()
            for name, how in _expectations(table, folder / declared.expectations).items()
        },
        "features": {name: _digest(file) for name, file in {**files, module.name: module}.items()},
    }


def _flat(prefix: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Yield the leaves of a declaration by their dotted keys; a list is one leaf."""
    if isinstance(value, dict):
        for name, each in value.items():
            yield from _flat(f"{prefix}.{name}" if prefix else name, each)
    else:
        yield prefix, ", ".join(map(str, value)) if isinstance(value, list) else value


def _expectations(table: str, file: Path) -> dict[str, str]:
    """Return how each expectation about a table must hold; a second one about the same columns is numbered."""
    try:
        suite = read_suite(file)
    except DeclarationError:
        return {table: "cannot be read"}
    found: dict[str, str] = {}
    for each in suite.expectations:
        subject = f"{table}: {each.expectation} ({', '.join(each.columns)})"
        numbered = sum(name == subject or name.startswith(f"{subject} #") for name in found)
        found[f"{subject} #{numbered + 1}" if numbered else subject] = _how(each)
    return found


def _how(expectation: Expectation) -> str:
    arguments = (f"{name} {value}" for name, value in expectation.declared.items() if not name.startswith("column"))
    return ", ".join([expectation.severity, *arguments])


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()[:16] if file.is_file() else "no file"
