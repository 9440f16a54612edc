"""Programs that some tests need: without one a test is skipped, and fails where the environment promises them all."""

import os
import shutil
from pathlib import Path

import pytest

#: Where Debian keeps what it does not put on the path.
_ELSEWHERE = (*sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True), Path("/usr/sbin"))


def require(available, reason):
    """Skip a test whose server or browser is missing; where the environment promises them all, fail instead."""
    if available:
        return
    if os.environ.get("AIRLOOM_REQUIRE_SERVERS"):
        pytest.fail(reason)
    pytest.skip(reason)


def program(name, package):
    """The path of a program; `package` is what to install where it is missing."""
    found = shutil.which(name) or next((str(at / name) for at in _ELSEWHERE if (at / name).exists()), None)
    require(found is not None, f"{name} is not installed (Debian: apt-get install {package})")
    return found


def demoted():
    """The user that servers run as: PostgreSQL refuses to run as root."""
    return {"user": "postgres", "group": "postgres"} if os.geteuid() == 0 else {}
