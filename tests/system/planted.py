"""How faults are planted into the running stack: each is a context manager, after which it is mended.

It may yield variables for the container that is asked.
"""

import signal
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from urllib.request import Request, urlopen

from airloom.core.settings import Settings
from airloom.stores.models import ModelRegistry
from tests.servers.faulty import faulty_server
from tests.servers.process import free_port
from tests.system.installation import PIPELINE


def given(**variables):
    """A container that is told something wrong; `{redis}` is where Redis answers, and so on."""

    @contextmanager
    def plant(stack):
        places = {"redis": stack.redis.port, "airflow": airflow_url(stack), "nobody": free_port()}
        yield {name: value.format(**places) for name, value in variables.items()}

    return plant


def without(service, how=signal.SIGTERM):
    return lambda stack: stack.without(service, how)


@contextmanager
def without_redis(stack):
    """Workers find it again by themselves."""
    stack.redis.kill()
    try:
        yield
    finally:
        stack.redis.start()


@contextmanager
def without_postgres(stack):
    """What has ended without its database is started again by the engine."""
    stack.postgres.kill(signal.SIGINT)
    try:
        yield
    finally:
        stack.postgres.start()
        with stack.restarting():
            stack.wait_until_whole()


@contextmanager
def deaf_s3(stack):
    """A server that accepts connections, and answers none."""
    stack.s3.process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        stack.s3.process.send_signal(signal.SIGCONT)


@contextmanager
def unknown_s3_key(stack):
    """A server that looks who asks, and knows nobody."""
    _let_in(stack, 0)
    try:
        yield
    finally:
        _let_in(stack, float("inf"))


def _let_in(stack, requests):
    """Let some more requests in without a look at their key."""
    order = Request(f"{stack.s3.url}/moto-api/reset-auth", str(requests).encode(), {"Content-Type": "text/plain"})
    urlopen(order, timeout=60).close()


@contextmanager
def late_s3(stack):
    with faulty_server(stack.s3.port) as server:
        server.date = format_datetime(datetime.now(UTC) - timedelta(hours=1), usegmt=True)
        yield {"AWS_ENDPOINT_URL_S3": server.url}


@contextmanager
def forgetful_redis(stack):
    import redis

    with redis.Redis.from_url(stack.redis.url()) as server:
        server.config_set("maxmemory-policy", "allkeys-lru")
        try:
            yield
        finally:
            server.config_set("maxmemory-policy", "noeviction")


@contextmanager
def moved_alias(stack):
    """Somebody who finds another version better, and says so to MLflow only."""
    registry = ModelRegistry(Settings.from_environment(stack.environment("worker")), PIPELINE)
    champion = registry.alias()
    registry.set_alias("champion", champion % 2 + 1)
    try:
        yield
    finally:
        registry.set_alias("champion", champion)


def changed(database, table, column, value, where="true"):
    """Something else in rows of a table."""

    @contextmanager
    def plant(stack):
        [(before,)] = stack.ask(f"select distinct {column} from {table} where {where}", database)
        change = f"update {table} set {column} = '{{}}' where {where}"
        stack.do(change.format(value), database)
        try:
            yield
        finally:
            stack.do(change.format(before), database)

    return plant


@contextmanager
def other_package(stack):
    lock = stack.project / "requirements.txt"
    original = lock.readlink()
    text = lock.read_text()
    lock.unlink()
    lock.write_text(f"{text}pydantic==0.1\n")
    try:
        yield
    finally:
        lock.unlink()
        lock.symlink_to(original)


@contextmanager
def broken_pipeline(stack):
    """A second pipeline, with a key that nobody knows."""
    folder = stack.project / "include" / "broken"
    folder.mkdir()
    declaration = folder / "pipeline.yaml"
    declaration.write_text("name: broken\nshedule: {nightly: 02:00}\n")
    try:
        yield
    finally:
        declaration.unlink()
        folder.rmdir()


def airflow_url(stack):
    return f"http://127.0.0.1:{stack.ports['airflow-api-server', '8080']}"
