"""The small pipelines of other tests are used here too; Feast comes in through its one door."""

import sys
from pathlib import Path

import pytest

from airloom.stores.feast_loading import load_feast

sys.path[:0] = [str(Path(__file__).parents[1] / folder) for folder in ("steps", "stores")]
load_feast()


@pytest.fixture(scope="session")
def world(tmp_path_factory):
    from world import make_world

    return make_world(tmp_path_factory.mktemp("world"))
