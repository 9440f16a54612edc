"""Whether an S3 server can be trusted with commits."""

import pytest

from airloom.core.errors import SetupError
from airloom.core.places import S3Path
from airloom.stores.files import files_below
from airloom.stores.objects import create_bucket
from airloom.stores.single_creation import require_single_creation


def test_a_server_that_lets_one_writer_create_an_object_is_trusted(bucket):
    require_single_creation(bucket)
    assert list(files_below(bucket)) == []


def test_a_server_that_ignores_the_condition_is_refused(bucket, faulty):
    faulty.ignore_conditions()
    with pytest.raises(SetupError, match="8 of 8 writers"):
        require_single_creation(bucket)
    assert list(files_below(bucket)) == []


def test_a_bucket_is_made_once(s3_client, bucket):
    place = S3Path("airloom-made", "prefix")
    assert (create_bucket(place), create_bucket(place)) == (True, False)
