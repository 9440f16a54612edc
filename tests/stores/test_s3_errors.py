"""What S3 refuses is said with what to do about it, by boto3 and by deltalake alike, and without a secret."""

from datetime import date

import pyarrow as pa
import pytest

from airloom.core.errors import SetupError, Unavailable
from airloom.core.places import S3Path
from airloom.stores.files import create_file, files_below, read_bytes, replaced_file
from airloom.stores.lake import Lake, PartitionVersion
from tests.servers.process import free_port

DAY = date(2013, 1, 1)
PLANTED = ("planted-key-id", "planted-secret-key", "planted-token")


def _replace(place):
    with replaced_file(place / "file") as file:
        file.write_text("content")


WAYS = {
    "read": lambda place: read_bytes(place / "file"),
    "list": lambda place: list(files_below(place)),
    "create": lambda place: create_file(place / "file", "content"),
    "replace": _replace,
    "open a table": lambda place: Lake(place).partitions("raw.things"),
    "write a table": lambda place: Lake(place).replace("raw.things", PartitionVersion(DAY, "v"), pa.table({"id": [1]})),
    "look for tables": lambda place: Lake(place).tables(),
}


@pytest.fixture(params=WAYS)
def use(request):
    return WAYS[request.param]


@pytest.fixture(params=["read", "open a table"])
def try_long(request):
    """Use it in a way that is tried again and again when it fails."""
    return WAYS[request.param]


def error_of(use, place, kind=SetupError):
    with pytest.raises(SetupError) as caught:
        use(place)
    error = caught.value
    assert type(error) is kind
    assert not [secret for secret in PLANTED if secret in f"{error} {error!r} {error.__cause__}"]
    assert str(place) in (error.where or "")
    assert error.do
    return error


@pytest.mark.parametrize("name", ["no-such-bucket", "No_Bucket!"])
def test_a_bucket_that_there_is_not(s3_client, use, name):
    error = error_of(use, S3Path(name, "prefix"))
    assert error.what == "There is no such bucket."
    assert f"create the bucket {name}" in error.do


@pytest.mark.parametrize(
    ("code", "what", "told"),
    [
        ("AccessDenied", "S3 refuses access.", "docs/storage.md"),
        ("AuthorizationHeaderMalformed", "The bucket lies in another region.", "AWS_REGION=eu-west-1"),
        ("RequestTimeTooSkewed", "The clock of this machine is wrong.", "timedatectl"),
        ("InvalidAccessKeyId", "S3 does not accept the credentials.", "get-caller-identity"),
        ("NotImplemented", "This S3 server lacks something that Airloom needs.", "If-None-Match"),
        ("KMS.DisabledException", "The key that S3 is to encrypt with cannot be used.", "AIRLOOM_S3_KMS_KEY"),
    ],
)
def test_what_s3_refuses(faulty, bucket, use, code, what, told):
    faulty.spoil(code, 1000)
    error = error_of(use, bucket)
    assert error.what == what
    assert told in str(error)
    assert code in error.found


def test_a_bucket_of_another_region_is_told_with_its_region(s3, faulty, use):
    bucket = f"ireland-{free_port()}"
    s3.create(bucket, "eu-west-1")
    # S3 answers so, without the region, to requests that were meant for another one; who asks for it is told.
    faulty.spoil("PermanentRedirect", 1000, "", "prefix")
    error = error_of(use, S3Path(bucket, "prefix"))
    assert error.what == "The bucket lies in another region."
    assert error.expected == "AWS_REGION=eu-west-1"


def test_a_server_that_slows_down_for_good_may_answer_another_time(faulty, bucket, try_long):
    faulty.spoil("SlowDown", 10_000)
    assert "SlowDown" in error_of(try_long, bucket, Unavailable).found


def test_an_endpoint_where_nobody_listens(s3_client, bucket, try_long):
    s3_client(f"http://planted-key-id:planted-secret-key@127.0.0.1:{free_port()}")
    assert error_of(try_long, bucket, Unavailable).what == "S3 cannot be reached."


def test_no_credentials(s3_client, s3, bucket, use, monkeypatch):
    s3_client(s3.url)
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    assert error_of(use, bucket).what == "There are no credentials for S3."


def test_a_profile_that_there_is_not(s3_client, s3, bucket, use):
    s3_client(s3.url, AWS_PROFILE="nobody")
    error = error_of(use, bucket)
    assert (error.what, "nobody" in error.found) == ("There are no credentials for S3.", True)


def test_an_endpoint_that_is_no_url(s3_client, bucket, use):
    s3_client("127.0.0.1:9000")
    with pytest.raises(SetupError, match="endpoint of S3 is not a URL") as error:
        use(bucket)
    assert error.value.where == "AWS_ENDPOINT_URL_S3"
