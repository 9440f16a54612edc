"""Feast comes in through its one door before any test module imports it; the places that online features may be at."""

import itertools
import uuid

import pytest

from airloom.stores.feast_loading import load_feast

load_feast()

_REDIS_DATABASES = itertools.cycle(range(16))


@pytest.fixture(params=["sqlite", "postgres", "redis"])
def new_online(request):
    """Make an empty online store at each call; return its URL, empty for a file."""
    if request.param == "sqlite":
        return str
    if request.param == "redis":
        return _emptied(request.getfixturevalue("redis_server"))
    server = request.getfixturevalue("postgres")
    return lambda: server.create(f"online_{uuid.uuid4().hex}")


def _emptied(server):
    import redis

    def empty():
        url = server.url(next(_REDIS_DATABASES))
        with redis.Redis.from_url(url) as client:
            client.flushdb()
        return url

    return empty
