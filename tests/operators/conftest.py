import pytest

from tests.worlds.prepared import INCLUDE


@pytest.fixture(autouse=True)
def _parcels(monkeypatch):
    """Operators find the pipeline of the tests."""
    monkeypatch.setenv("AIRLOOM_PROJECT", str(INCLUDE.parent))
