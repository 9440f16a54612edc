"""A Redis server for tests, with a password."""

import contextlib
import itertools
from pathlib import Path

from tests.servers.process import ServerProcess, free_port
from tests.servers.required import program

PASSWORD = "planted-redis"
#: What is answered is on disk.
KEEPING = ("--appendonly", "yes", "--appendfsync", "always")


class RedisServer(ServerProcess):
    """One server that keeps what it has in a folder, as an append-only file."""

    def __init__(self, folder: Path, password, options):
        port = free_port()
        self.password = password
        command = [
            *(str(program("redis-server")), "--bind", "127.0.0.1", "--port", str(port)),
            *("--dir", str(folder), "--requirepass", password, *options),
        ]
        super().__init__(command, port, folder / "redis.log")
        self._databases = itertools.cycle(range(1, 16))

    def empty(self):
        """Return the URL of a database with nothing in it; the numbers come round again."""
        import redis

        url = self.url(next(self._databases))
        with redis.Redis.from_url(url) as client:
            client.flushdb()
        return url

    def url(self, database=0):
        return f"redis://:{self.password}@127.0.0.1:{self.port}/{database}"


@contextlib.contextmanager
def running_redis(folder, password=PASSWORD, options=KEEPING):
    """Run a server until the block ends."""
    server = RedisServer(folder, password, options)
    try:
        server.start()
        yield server
    finally:
        server.stop()
