"""Whether the environment is the one that the lock describes."""

from __future__ import annotations

import re
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from airloom.core.errors import SetupError

LOCK = "requirements.txt"
_PYTHON = (3, 11)
_SHOWN = 5
_PIN = re.compile(r"^(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^\]]*\])?==(?P<version>[^\s;]+)")


def require_installation(project: Path) -> None:
    """Make sure that Python and every package are what the lock says.

    Args:
        project: The folder with `requirements.txt`.

    Raises:
        SetupError: Another Python, no lock or an empty one, or a package that is missing or of another version.
    """
    _require_python(sys.version_info[:2])
    lock = project / LOCK
    if not lock.is_file():
        raise SetupError("There is no lock of the packages.", where=str(lock), do="check out the file again")
    if not (wanted := pins(lock.read_text(encoding="utf-8"))):
        raise SetupError("The lock names no package.", where=str(lock), do="check out the file again")
    wrong = differences(wanted)
    if wrong:
        more = f" and {len(wrong) - _SHOWN} more" if len(wrong) > _SHOWN else ""
        raise SetupError(
            "The environment is not what requirements.txt says: its installation was not finished, or was changed.",
            where=sys.prefix,
            found="; ".join(wrong[:_SHOWN]) + more,
            do="make setup",
        )


def pins(lock: str) -> dict[str, str]:
    """Read the version of each package from a lock."""
    matches = (_PIN.match(line) for line in lock.splitlines())
    return {match["name"]: match["version"] for match in matches if match}


def differences(wanted: dict[str, str]) -> list[str]:
    """Describe each package that is missing or of another version than wanted."""
    return [text for name, pinned in wanted.items() if (text := _difference(name, pinned))]


def _difference(name: str, pinned: str) -> str | None:
    try:
        installed = version(name)
    except PackageNotFoundError:
        return f"{name} {pinned} is missing"
    # `+cpu` says how a wheel was built, not which version it is.
    if installed.partition("+")[0] == pinned.partition("+")[0]:
        return None
    return f"{name} is {installed} instead of {pinned}"


def _require_python(running: tuple[int, int]) -> None:
    if running != _PYTHON:
        raise SetupError(
            "Airloom runs on Python 3.11.",
            where=sys.executable,
            found=".".join(map(str, running)),
            expected="3.11",
            do="PYTHON=/path/to/python3.11 make setup",
        )
