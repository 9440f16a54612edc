"""The prepared installation that modules of all kinds copy."""

import os

import pytest

from tests.worlds.prepared import prepared_once


@pytest.fixture(scope="session")
def prepared_installation(tmp_path_factory):
    """The folder of an installation that no test changes; the workers of a run share it."""
    base = tmp_path_factory.getbasetemp()
    return prepared_once((base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "prepared")
