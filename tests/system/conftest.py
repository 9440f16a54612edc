"""One installation that has run the demo, and what came of it."""

import pytest
from installation import FIRST, LAST, Installation


@pytest.fixture(scope="session")
def installation(tmp_path_factory):
    installation = Installation.create(tmp_path_factory.mktemp("installation"))
    try:
        installation.airloom("demo", "--from", FIRST, "--to", LAST)
        yield installation
    finally:
        installation.airloom("down")


@pytest.fixture(scope="session")
def in_parallel(installation):
    """The state after the range was run once, several days at a time."""
    return installation.state()
