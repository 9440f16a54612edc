"""The small pipelines of other tests are used here too; Feast comes in through its one door."""

import sys
from pathlib import Path

import pytest

from airloom.stores.feast_loading import load_feast

sys.path[:0] = [str(Path(__file__).parents[1] / folder) for folder in ("steps", "stores")]
load_feast()


@pytest.fixture(scope="session")
def worlds(tmp_path_factory):
    """Two of the same, for two things at a time."""
    from world import make_world

    return [make_world(tmp_path_factory.mktemp("world")) for _ in range(2)]


@pytest.fixture
def world(worlds):
    return worlds[0]
