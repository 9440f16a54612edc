"""An S3 endpoint for tests, on the loopback address: moto's server, which honours conditional writes."""

import contextlib
import os
import sys
from pathlib import Path

from airloom.stores import s3
from tests.servers.process import ServerProcess, free_port

#: What a client says; the server takes any.
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "planted-key-id", "AWS_SECRET_ACCESS_KEY": "planted-secret-key"}


#: How many keys a page of a listing has: few, so that every test turns pages. S3 has a thousand.
PAGE = 10


class S3Server(ServerProcess):
    """One server that keeps everything in memory."""

    def __init__(self, folder: Path, page: int):
        port = free_port()
        command = [sys.executable, str(Path(__file__).with_name("atomic_moto.py")), str(port)]
        variables = {**os.environ, "MOTO_S3_DEFAULT_MAX_KEYS": str(page)}
        super().__init__(command, port, folder / "s3.log", env=variables)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    @property
    def variables(self):
        """The environment of a client."""
        return {**CREDENTIALS, "AWS_ENDPOINT_URL_S3": self.url, "AWS_REGION": "us-east-1"}

    def create(self, bucket, region="us-east-1"):
        import boto3

        session = boto3.Session(CREDENTIALS["AWS_ACCESS_KEY_ID"], CREDENTIALS["AWS_SECRET_ACCESS_KEY"])
        there = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        session.client("s3", endpoint_url=self.url, region_name=region).create_bucket(Bucket=bucket, **there)


@contextlib.contextmanager
def running_s3(folder, page=PAGE):
    """Run a server until the block ends."""
    server = S3Server(folder, page)
    try:
        server.start()
        yield server
    finally:
        server.stop()


def forget_clients():
    """Let this process ask its environment again where S3 is and who asks."""
    s3._open.cache_clear()
    s3._session.cache_clear()
