"""Two kinds of state database: what holds in one must hold in the other."""

import uuid

import pytest

from airloom.stores.state_schema import upgrade_state


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_state_url(request, tmp_path):
    """The URL of a state database without any table."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'state' / 'airloom.db'}"
    return request.getfixturevalue("postgres").create(f"state_{uuid.uuid4().hex}")


@pytest.fixture
def state_url(empty_state_url):
    """The URL of a state database with the ledger's tables."""
    upgrade_state(empty_state_url)
    return empty_state_url
