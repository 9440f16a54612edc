"""One installation that has run the demo, and what came of it."""

import pytest

from tests.lineage.receiver import receiving
from tests.system import topology
from tests.system.installation import FIRST, LAST, Installation


@pytest.fixture(scope="session")
def backend():
    """A lineage backend that takes what is well-formed."""
    with receiving() as receiver:
        yield receiver


@pytest.fixture(scope="session")
def installation(tmp_path_factory, backend):
    installation = Installation.create(tmp_path_factory.mktemp("installation"), backend.url)
    try:
        installation.airloom("demo", "--from", FIRST, "--to", LAST)
        yield installation
    finally:
        installation.airloom("down")


@pytest.fixture(scope="session")
def in_parallel(installation):
    """The state after the range was run once, several days at a time."""
    return installation.state()


@pytest.fixture(scope="session")
def embedded(tmp_path_factory):
    """What one machine alone makes of the days that are run on the stack; it does not run any more."""
    installation = Installation.create(tmp_path_factory.mktemp("embedded"))
    try:
        installation.airloom("demo", "--from", str(topology.FIRST), "--to", str(topology.LAST_KILLED))
    finally:
        installation.airloom("down")
    return installation
