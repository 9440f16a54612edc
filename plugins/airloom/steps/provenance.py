"""Where a training comes from: the lake, the code and the machine, as tags of its run."""

from __future__ import annotations

import hashlib
import inspect
import json
import platform
import shutil
import subprocess
from pathlib import Path

from airloom import __version__
from airloom.core.fingerprint import fingerprint
from airloom.core.pipeline import Pipeline
from airloom.core.records import TrainingSet
from airloom.core.settings import Settings
from airloom.steps.candidates import Fit
from airloom.steps.references import load_reference

_GIT_SECONDS = 10


def provenance_tags(training: TrainingSet, settings: Settings) -> dict[str, str]:
    """Say what was read, by which code and where it ran."""
    return {
        "airloom.lake": json.dumps(training.lake, sort_keys=True),
        "airloom.code": code_version(settings.project),
        "airloom.degraded": str(training.degraded).lower(),
        "airloom.python": platform.python_version(),
        "airloom.platform": platform.platform(),
    }


def code_version(project: Path) -> str:
    """Return the project's git commit, or the package's version where there is no repository."""
    git = shutil.which("git")
    command = [git or "git", "-C", str(project), "rev-parse", "HEAD"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_GIT_SECONDS) if git else None
    return done.stdout.strip() if done and done.returncode == 0 else f"airloom {__version__}"


def recipe(pipeline: Pipeline, settings: Settings) -> str:
    """Return the fingerprint of how a pipeline trains: its declaration, and the code of its candidates."""
    functions = [load_reference(each.fit, settings.project) for each in pipeline.train.candidates.values()]
    return fingerprint([pipeline.digest, *map(source_digest, functions)])


def source_digest(function: Fit) -> str:
    """Return the digest of the module that a candidate is written in: new code is a new training."""
    source = inspect.getsource(inspect.getmodule(function) or function)
    return hashlib.sha256(source.encode()).hexdigest()[:16]
