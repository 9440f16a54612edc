"""Servers that any test may ask for, started when the first one does; each test makes its own database or bucket."""

import pytest
from servers.postgres import running_postgres
from servers.redis_server import running_redis
from servers.s3 import running_s3


@pytest.fixture(scope="session")
def postgres():
    with running_postgres() as server:
        yield server


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory):
    with running_redis(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture(scope="session")
def s3(tmp_path_factory):
    with running_s3(tmp_path_factory.mktemp("s3")) as server:
        yield server
