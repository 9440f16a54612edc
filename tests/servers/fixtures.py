"""Servers that any test may ask for, started when the first one does; each test makes its own database or prefix."""

import os
import uuid

import pytest

from airloom.core.places import S3Path
from tests.servers.faulty import faulty_server
from tests.servers.postgres import running_postgres
from tests.servers.redis_server import running_redis
from tests.servers.s3 import forget_clients, running_s3

_BUCKET = "airloom-tests"


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
        server.create(_BUCKET)
        yield server


@pytest.fixture
def s3_client(s3, monkeypatch):
    """An environment in which clients reach the server; `s3_client(url)` lets them reach another one."""
    nobody = {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}

    def reach(url, **variables):
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            monkeypatch.delenv(name)
        said = {**s3.variables, **nobody, "AWS_EC2_METADATA_DISABLED": "true", "AWS_ENDPOINT_URL_S3": url}
        for name, value in (said | variables).items():
            monkeypatch.setenv(name, value)
        forget_clients()

    # What is tried again is tried at once.
    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda _backoff, _context: 0.0)
    reach(s3.url)
    yield reach
    forget_clients()


@pytest.fixture
def bucket(s3_client, tmp_path):
    """A prefix of one's own in a bucket, which is there."""
    return S3Path(_BUCKET, f"{tmp_path.parent.name}/{tmp_path.name}")


@pytest.fixture
def faulty(s3, s3_client):
    """A server in front of S3 that a test lets answer badly."""
    with faulty_server(s3.port) as server:
        s3_client(server.url)
        yield server


@pytest.fixture(params=["folder", "s3"])
def place(request, tmp_path):
    """Where things are kept: both a folder and a prefix of a bucket."""
    return tmp_path / "place" if request.param == "folder" else request.getfixturevalue("bucket")


@pytest.fixture(params=["sqlite", "postgres", "redis"])
def new_online(request):
    """Make an empty online store at each call; return its URL, empty for a file."""
    if request.param == "sqlite":
        return str
    if request.param == "redis":
        return request.getfixturevalue("redis_server").empty
    server = request.getfixturevalue("postgres")
    return lambda: server.create(f"online_{uuid.uuid4().hex}")
