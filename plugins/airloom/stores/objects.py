"""Objects of S3 buckets, through one client a process: read, written as a whole, created once, listed, removed."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import cache
from itertools import takewhile
from pathlib import Path
from typing import Any, BinaryIO

from airloom.core.errors import SetupError
from airloom.core.places import Place, S3Path
from airloom.stores.objects_errors import ELSEWHERE, problem, said_by

#: How often a request is tried in all; the clients wait in between, longer each time, with jitter.
ATTEMPTS = 5
_CONNECT_SECONDS, _READ_SECONDS, _RETRY_SECONDS = 5, 60, 60

#: What S3 says where another has asked for the same at this moment, and neither is first yet: to be tried again.
_CONFLICT = "ConditionalRequestConflict"
_ENCRYPTION, _KEY = "AIRLOOM_S3_ENCRYPTION", "AIRLOOM_S3_KMS_KEY"


@dataclass(frozen=True)
class Stored:
    """A file or an object that is there.

    Args:
        place: Where.
        size: Its bytes.
        modified: When it was written.
    """

    place: Place
    size: int
    modified: datetime


def read_object(place: S3Path) -> bytes:
    """Read a whole object, again where the connection breaks on the way.

    Raises:
        FileNotFoundError: There is no such object.
        SetupError: S3 refuses, or cannot be reached.
    """
    from botocore.exceptions import IncompleteReadError, ResponseStreamingError

    with explained(place):
        for _ in range(ATTEMPTS - 1):
            with suppress(IncompleteReadError, ResponseStreamingError):
                return _read(place)
        return _read(place)


def _read(place: S3Path) -> bytes:
    content: bytes = _client().get_object(Bucket=place.bucket, Key=place.key)["Body"].read()
    return content


def upload(file: Path, place: S3Path) -> None:
    """Create or replace an object as a whole; a big one goes in parts, which are taken back when one fails.

    Raises:
        SetupError: S3 refuses, or cannot be reached.
    """
    with explained(place), file.open("rb") as content:
        _client().upload_fileobj(content, place.bucket, place.key, ExtraArgs=_encryption())


def create_object(place: S3Path, content: bytes | BinaryIO) -> bool:
    """Write an object, at most 5 GiB, unless there is one, which then stays as it is.

    Returns:
        Whether it was written.

    Raises:
        SetupError: S3 refuses, or cannot be reached.
    """
    from botocore.exceptions import ClientError

    attempt = 1
    with explained(place):
        while True:
            if not isinstance(content, bytes):
                content.seek(0)  # The attempt before has read it.
            try:
                _client().put_object(Bucket=place.bucket, Key=place.key, Body=content, IfNoneMatch="*", **_encryption())
                return True
            except ClientError as error:
                code = error.response["Error"]["Code"]
                if code == "PreconditionFailed":
                    return False
                if code != _CONFLICT or attempt == ATTEMPTS:
                    raise
            time.sleep(random.uniform(0.05, 0.2) * attempt)
            attempt += 1


def create_bucket(place: S3Path) -> bool:
    """Make the bucket of a place unless it is there.

    Returns:
        Whether it was made.

    Raises:
        SetupError: S3 refuses, or cannot be reached.
    """
    from botocore.exceptions import ClientError

    with explained(place):
        try:
            _client().head_bucket(Bucket=place.bucket)
            return False
        except ClientError as error:
            if error.response["Error"]["Code"] != "404":
                raise
        region = _client().meta.region_name
        where = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        _client().create_bucket(Bucket=place.bucket, **where)
        return True


def server_time(place: S3Path) -> datetime:
    """Return what the clock of S3 shows, to the second.

    Raises:
        SetupError: S3 refuses, or cannot be reached.
    """
    with explained(place):
        said: str = _client().head_bucket(Bucket=place.bucket)["ResponseMetadata"]["HTTPHeaders"]["date"]
        return parsedate_to_datetime(said)


def require_answer(place: S3Path) -> None:
    """Make sure that S3 says anything at all, without the patience that tasks have.

    Raises:
        SetupError: It cannot be asked.
        Unavailable: It does not answer.
    """
    from botocore.exceptions import ClientError

    with explained(place), suppress(ClientError):
        _open(os.getpid(), attempts=2, seconds=_CONNECT_SECONDS).head_bucket(Bucket=place.bucket)


def objects_below(place: S3Path, after: str = "") -> Iterator[Stored]:
    """Yield what lies below a prefix, in the order of keys.

    Args:
        place: The prefix.
        after: Leave out names up to this one.

    Raises:
        SetupError: S3 refuses, or cannot be reached.
    """
    start = {"StartAfter": (place / after).key} if after else {}
    for page in _pages("list_objects_v2", place, **start):
        for each in page.get("Contents", ()):
            yield Stored(S3Path(place.bucket, each["Key"]), each["Size"], each["LastModified"])


def absent_objects(place: S3Path, wanted: set[S3Path]) -> set[S3Path]:
    """Return those of some objects below a prefix that are not there, from one listing of where they would be."""
    keys = sorted(each.key for each in wanted)
    if not keys:
        return set()
    pages = _pages("list_objects_v2", place, StartAfter=keys[0][:-1])
    listed = (each["Key"] for page in pages for each in page.get("Contents", ()))
    there = set(takewhile(lambda key: key <= keys[-1], listed))
    return {each for each in wanted if each.key not in there}


def prefixes_below(place: S3Path) -> list[str]:
    """Return the names of what would be the folders of a prefix."""
    pages = _pages("list_objects_v2", place, Delimiter="/")
    return [S3Path("", each["Prefix"]).name for page in pages for each in page.get("CommonPrefixes", ())]


def remove_object(place: S3Path) -> None:
    """Remove an object; nothing happens when there is none."""
    with explained(place):
        _client().delete_object(Bucket=place.bucket, Key=place.key)


def abandoned_uploads(place: S3Path, older_than: timedelta, abort: bool) -> list[int]:
    """Find uploads in parts that nobody has ended, killed ones: their parts cost money and are in no listing.

    Args:
        place: The prefix.
        older_than: Uploads that were begun less long ago may be under way.
        abort: Remove the parts.

    Returns:
        The bytes of each.
    """
    oldest = datetime.now(UTC) - older_than
    begun = [each for page in _pages("list_multipart_uploads", place) for each in page.get("Uploads", ())]
    sizes = (
        _abandoned(S3Path(place.bucket, each["Key"]), each["UploadId"], abort)
        for each in begun
        if each["Initiated"] < oldest
    )
    return [size for size in sizes if size is not None]


def _abandoned(place: S3Path, upload_id: str, abort: bool) -> int | None:
    """Return the size of an upload's parts; None for one that has ended, or that another vacuum has removed."""
    from botocore.exceptions import ClientError

    upload = {"Bucket": place.bucket, "Key": place.key, "UploadId": upload_id}
    with explained(place):
        try:
            pages = _client().get_paginator("list_parts").paginate(**upload)
            size: int = sum(part["Size"] for page in pages for part in page.get("Parts", ()))
            if abort:
                _client().abort_multipart_upload(**upload)
        except ClientError as error:
            if error.response["Error"]["Code"] != "NoSuchUpload":
                raise
            return None
    return size


def table_options(place: Place) -> dict[str, str] | None:
    """Return what deltalake needs to know to reach a table: the session's credentials as they are now.

    Raises:
        SetupError: There are no credentials.
    """
    if isinstance(place, Path):
        return None
    from botocore.exceptions import NoCredentialsError

    with explained(place):
        meta, credentials = _client().meta, _session(os.getpid()).get_credentials()
        if credentials is None:
            raise NoCredentialsError
        keys = credentials.get_frozen_credentials()
    encryption = _encryption()
    options = {
        "aws_access_key_id": keys.access_key,
        "aws_secret_access_key": keys.secret_key,
        "aws_session_token": keys.token,
        "aws_region": meta.region_name,
        "aws_endpoint": meta.endpoint_url,
        "aws_allow_http": str(meta.endpoint_url.startswith("http:")).lower(),
        # A commit is a file that must not be there yet: two writers cannot both make it.
        "aws_conditional_put": "etag",
        "aws_server_side_encryption": encryption.get("ServerSideEncryption"),
        "aws_sse_kms_key_id": encryption.get("SSEKMSKeyId"),
        "connect_timeout": f"{_CONNECT_SECONDS}s",
        "timeout": f"{_READ_SECONDS}s",
        "max_retries": str(ATTEMPTS - 1),
        "retry_timeout": f"{_RETRY_SECONDS}s",
    }
    return {name: value for name, value in options.items() if value}


def _encryption() -> dict[str, str]:
    """Return how S3 is to encrypt what is written; without the settings, as the bucket says."""
    kind, key = os.environ.get(_ENCRYPTION, ""), os.environ.get(_KEY, "")
    if kind not in ("", "AES256", "aws:kms") or (key and kind != "aws:kms"):
        raise SetupError(
            "This is not a way for S3 to encrypt.",
            where=_ENCRYPTION,
            found=repr(kind) + (f" with {_KEY}" if key else ""),
            expected=f"AES256, or aws:kms, which alone takes {_KEY}",
        )
    return {name: value for name, value in (("ServerSideEncryption", kind), ("SSEKMSKeyId", key)) if value}


def _pages(operation: str, place: S3Path, **arguments: str) -> Iterator[dict[str, Any]]:
    prefix = f"{place.key}/" if place.key else ""
    with explained(place):
        yield from _client().get_paginator(operation).paginate(Bucket=place.bucket, Prefix=prefix, **arguments)


def _client() -> Any:
    return _open(os.getpid())


@cache
def _open(process: int, attempts: int = ATTEMPTS, seconds: int = _READ_SECONDS) -> Any:
    """Open once a process: connections must not be carried over a fork."""
    from botocore.config import Config

    retries = {"mode": "standard", "total_max_attempts": attempts}
    config = Config(retries=retries, connect_timeout=_CONNECT_SECONDS, read_timeout=seconds)
    try:
        return _session(process).client("s3", config=config)
    except ValueError as error:
        raise SetupError(
            "The endpoint of S3 is not a URL.",
            where="AWS_ENDPOINT_URL_S3",
            found=str(error).rpartition("@")[2],
            expected="http://host:port or https://host",
        ) from None


@cache
def _session(_process: int) -> Any:
    import boto3

    # boto3 reads AWS_DEFAULT_REGION only; the other clients of AWS read this one, and first.
    return boto3.Session(region_name=os.environ.get("AWS_REGION") or None)


@contextmanager
def explained(place: Place) -> Iterator[None]:
    """Say in our words what S3 or one of its clients refuses; nothing is changed about a folder's errors.

    Raises:
        FileNotFoundError: There is no such object.
        SetupError: Something is to be mended.
        Unavailable: S3 cannot be reached, or not do its work; the same again may help.
    """
    if isinstance(place, Path):
        yield
        return
    try:
        yield
    except Exception as error:
        said = said_by(error)
        if said is None:
            raise
        if said.code == "NoSuchKey":
            raise FileNotFoundError(str(place)) from None
        if said.code in ELSEWHERE and not said.region:
            said = replace(said, region=_region(place.bucket))
        raise problem(place, said) from None


def _region(bucket: str) -> str:
    """Ask where a bucket is; S3 says so even when it refuses everything else."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        answer = _client().head_bucket(Bucket=bucket)
    except ClientError as error:
        answer = error.response
    except BotoCoreError:
        return ""
    return str(answer["ResponseMetadata"]["HTTPHeaders"].get("x-amz-bucket-region", ""))
