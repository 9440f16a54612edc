"""Feast comes in through its one door before any test module imports it: no metrics folder is left behind."""

import pytest

from airloom.stores.feast_loading import load_feast
from tests.worlds import registered

load_feast()


@pytest.fixture(scope="session")
def template(tmp_path_factory):
    """A registry with nine versions that no test changes."""
    return registered.make(tmp_path_factory.mktemp("registered"))


@pytest.fixture
def registry_settings(template, tmp_path):
    """A registry with nine versions of one's own."""
    return registered.copy(template, tmp_path)
