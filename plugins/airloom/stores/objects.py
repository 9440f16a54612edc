"""Objects of S3 buckets, as Airloom uses them: read, written as a whole, created once, listed, removed."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from itertools import takewhile
from pathlib import Path
from typing import Any, BinaryIO

from airloom.core.places import Place, S3Path
from airloom.stores.s3 import ATTEMPTS, encryption, explained, impatient_client, s3_client

#: What S3 says where another has asked for the same at this moment, and neither is first yet: to be tried again.
_CONFLICT = "ConditionalRequestConflict"


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
    content: bytes = s3_client().get_object(Bucket=place.bucket, Key=place.key)["Body"].read()
    return content


def upload(file: Path, place: S3Path) -> None:
    """Create or replace an object as a whole; a big one goes in parts, which are taken back when one fails.

    Raises:
        SetupError: S3 refuses, or cannot be reached.
    """
    with explained(place), file.open("rb") as content:
        s3_client().upload_fileobj(content, place.bucket, place.key, ExtraArgs=encryption())


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
                s3_client().put_object(
                    Bucket=place.bucket, Key=place.key, Body=content, IfNoneMatch="*", **encryption()
                )
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
            s3_client().head_bucket(Bucket=place.bucket)
            return False
        except ClientError as error:
            if error.response["Error"]["Code"] != "404":
                raise
        region = s3_client().meta.region_name
        where = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        s3_client().create_bucket(Bucket=place.bucket, **where)
        return True


def server_time(place: S3Path) -> datetime:
    """Return what the clock of S3 shows, to the second.

    Raises:
        SetupError: S3 refuses, or cannot be reached.
    """
    with explained(place):
        said: str = s3_client().head_bucket(Bucket=place.bucket)["ResponseMetadata"]["HTTPHeaders"]["date"]
        return parsedate_to_datetime(said)


def require_answer(place: S3Path) -> None:
    """Make sure that S3 says anything at all, without the patience that tasks have.

    Raises:
        SetupError: It cannot be asked.
        Unavailable: It does not answer.
    """
    from botocore.exceptions import ClientError

    with explained(place), suppress(ClientError):
        impatient_client().head_bucket(Bucket=place.bucket)


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
        s3_client().delete_object(Bucket=place.bucket, Key=place.key)


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
            pages = s3_client().get_paginator("list_parts").paginate(**upload)
            size: int = sum(part["Size"] for page in pages for part in page.get("Parts", ()))
            if abort:
                s3_client().abort_multipart_upload(**upload)
        except ClientError as error:
            if error.response["Error"]["Code"] != "NoSuchUpload":
                raise
            return None
    return size


def _pages(operation: str, place: S3Path, **arguments: str) -> Iterator[dict[str, Any]]:
    prefix = f"{place.key}/" if place.key else ""
    with explained(place):
        yield from s3_client().get_paginator(operation).paginate(Bucket=place.bucket, Prefix=prefix, **arguments)
