"""Two kinds of state database: what holds in one must hold in the other."""

import uuid

import pytest

from airloom.stores.ledger_schema import open_tables


@pytest.fixture(params=["sqlite", "postgresql"])
def state_url(request, tmp_path):
    """The URL of a state database with the ledger's tables."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'state' / 'airloom.db'}"
    url = request.getfixturevalue("postgres").create(f"state_{uuid.uuid4().hex}")
    open_tables(url)
    return url
