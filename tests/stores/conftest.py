"""Feast comes in through its one door before any test module imports it; the places that online features may be at."""

import uuid

import pytest

from airloom.stores.feast_loading import load_feast

load_feast()


@pytest.fixture(params=["sqlite", "postgres", "redis"])
def new_online(request):
    """Make an empty online store at each call; return its URL, empty for a file."""
    if request.param == "sqlite":
        return str
    if request.param == "redis":
        return request.getfixturevalue("redis_server").empty
    server = request.getfixturevalue("postgres")
    return lambda: server.create(f"online_{uuid.uuid4().hex}")
