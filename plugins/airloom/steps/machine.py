"""What a training computes on and with: on other machines, and with other libraries, the last digits are others."""

from __future__ import annotations

import platform
import re
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from airloom.steps.threads import threads

#: Distributions that make a training set of the lake; those that a model needs are in its manifest.
JOINING = ("deltalake", "duckdb", "feast", "pyarrow")

_CPU_INFO = Path("/proc/cpuinfo")
_PROCESSOR = re.compile(r"^model name\s*:\s*(.+)$", re.MULTILINE)


def machine() -> dict[str, str]:
    """Say what computes here: interpreter, system, processor, GPU, and how many threads."""
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": _processor(),
        "gpu": _gpu(),
        "threads": str(threads()),
    }


def installed_versions(distributions: Iterable[str]) -> dict[str, str | None]:
    """Return the versions of distributions, None for one that is not installed."""
    return {name: _version(name) for name in distributions}


def _processor() -> str:
    """Return the model of the first processor, or else its architecture."""
    found = _PROCESSOR.search(_CPU_INFO.read_text(encoding="utf-8")) if _CPU_INFO.is_file() else None
    return found[1] if found else platform.machine()


def _gpu() -> str:
    import torch

    return torch.cuda.get_device_name() if torch.cuda.is_available() else "none"


def _version(distribution: str) -> str | None:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None
