"""The small pipelines of other tests are used here too; Feast comes in through its one door."""

import pytest

from airloom.stores.feast_loading import load_feast

load_feast()


@pytest.fixture(scope="session")
def worlds(tmp_path_factory):
    """Two of the same, for two things at a time."""
    from tests.faults.world import make_world

    return [make_world(tmp_path_factory.mktemp("world")) for _ in range(2)]


@pytest.fixture
def world(worlds):
    return worlds[0]
