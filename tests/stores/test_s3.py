"""The clients of S3: of one process each, and the same region and credentials for boto3 and for Delta."""

import os
from datetime import date

import pyarrow as pa
import pytest
from botocore.credentials import ReadOnlyCredentials

from airloom.core.places import S3Path
from airloom.stores import objects
from airloom.stores import s3 as clients
from airloom.stores.content import content_version
from airloom.stores.files import create_file, read_bytes
from airloom.stores.lake import Lake, PartitionVersion
from tests.servers.process import free_port


def test_credentials_are_asked_for_anew_whenever_a_table_is_opened(bucket, monkeypatch):
    keys = iter(["first", "second"])
    renewed = clients._session(os.getpid()).get_credentials()
    monkeypatch.setattr(type(renewed), "get_frozen_credentials", lambda self: _frozen(next(keys)))
    options = [clients.table_options(bucket) for _ in range(2)]
    assert [(each["aws_access_key_id"], each["aws_session_token"]) for each in options] == [
        ("first", "token of first"),
        ("second", "token of second"),
    ]


def _frozen(name):
    return ReadOnlyCredentials(name, "secret", f"token of {name}")


@pytest.mark.parametrize("default", ["us-west-2", ""])
def test_the_region_is_that_of_aws_region(s3, s3_client, default):
    s3_client(s3.url, AWS_REGION="eu-central-1", AWS_DEFAULT_REGION=default)
    bucket = S3Path(f"frankfurt-{free_port()}", "prefix")
    assert clients.s3_client().meta.region_name == "eu-central-1"
    assert objects.create_bucket(bucket)
    where = clients.s3_client().get_bucket_location(Bucket=bucket.bucket)["LocationConstraint"]
    assert where == clients.table_options(bucket)["aws_region"] == "eu-central-1"
    day, rows = date(2013, 1, 1), pa.table({"day": [1]})
    Lake(bucket).replace("raw.things", PartitionVersion(day, content_version(rows)), rows)
    assert Lake(bucket).partitions("raw.things").keys() == {day}


def test_without_aws_region_the_region_is_that_of_the_chain(s3, s3_client):
    s3_client(s3.url, AWS_REGION="", AWS_DEFAULT_REGION="us-west-2")
    assert clients.s3_client().meta.region_name == "us-west-2"


def test_a_forked_process_opens_a_client_of_its_own(bucket):
    create_file(bucket / "file", "content")
    mine = clients.s3_client()
    child = os.fork()
    if child == 0:
        os._exit(0 if clients.s3_client() is not mine and read_bytes(bucket / "file") == b"content" else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
