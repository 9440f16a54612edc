"""Programs that some tests need: without one a test is skipped, and fails where the environment promises them all."""

import os
import shutil
from pathlib import Path

import pytest

#: Where Debian keeps what it does not put on the path.
_ELSEWHERE = (*sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True), Path("/usr/sbin"))


def program(name, package):
    """The path of a program; `package` is what to install where it is missing."""
    found = shutil.which(name) or next((str(at / name) for at in _ELSEWHERE if (at / name).exists()), None)
    if found:
        return found
    missing = f"{name} is not installed (Debian: apt-get install {package})"
    if os.environ.get("AIRLOOM_REQUIRE_SERVERS"):
        pytest.fail(missing)
    pytest.skip(missing)


def demoted():
    """The user that servers run as: PostgreSQL refuses to run as root."""
    return {"user": "postgres", "group": "postgres"} if os.geteuid() == 0 else {}
