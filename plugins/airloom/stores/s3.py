"""S3 as one client a process, the same for Delta's, and what either is refused in our words."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from airloom.core.errors import SetupError
from airloom.core.places import Place
from airloom.stores.s3_errors import ELSEWHERE, problem, said_by

#: How often a request is tried in all; the clients wait in between, longer each time, with jitter.
ATTEMPTS = 5
_CONNECT_SECONDS, _READ_SECONDS, _RETRY_SECONDS = 5, 60, 60

_ENCRYPTION, _KEY = "AIRLOOM_S3_ENCRYPTION", "AIRLOOM_S3_KMS_KEY"


def s3_client() -> Any:
    """Return boto3's client of this process."""
    return _open(os.getpid())


def impatient_client() -> Any:
    """Return one that gives up soon, without the patience that tasks have."""
    return _open(os.getpid(), attempts=2, seconds=_CONNECT_SECONDS)


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
        answer = s3_client().head_bucket(Bucket=bucket)
    except ClientError as error:
        answer = error.response
    except BotoCoreError:
        return ""
    return str(answer["ResponseMetadata"]["HTTPHeaders"].get("x-amz-bucket-region", ""))


def table_options(place: Place) -> dict[str, str] | None:
    """Return what deltalake needs to know to reach a table: the session's credentials as they are now.

    Raises:
        SetupError: There are no credentials.
    """
    if isinstance(place, Path):
        return None
    from botocore.exceptions import NoCredentialsError

    with explained(place):
        meta, credentials = s3_client().meta, _session(os.getpid()).get_credentials()
        if credentials is None:
            raise NoCredentialsError
        keys = credentials.get_frozen_credentials()
    encrypted = encryption()
    options = {
        "aws_access_key_id": keys.access_key,
        "aws_secret_access_key": keys.secret_key,
        "aws_session_token": keys.token,
        "aws_region": meta.region_name,
        "aws_endpoint": meta.endpoint_url,
        "aws_allow_http": str(meta.endpoint_url.startswith("http:")).lower(),
        # A commit is a file that must not be there yet: two writers cannot both make it.
        "aws_conditional_put": "etag",
        "aws_server_side_encryption": encrypted.get("ServerSideEncryption"),
        "aws_sse_kms_key_id": encrypted.get("SSEKMSKeyId"),
        "connect_timeout": f"{_CONNECT_SECONDS}s",
        "timeout": f"{_READ_SECONDS}s",
        "max_retries": str(ATTEMPTS - 1),
        "retry_timeout": f"{_RETRY_SECONDS}s",
    }
    return {name: value for name, value in options.items() if value}


def encryption() -> dict[str, str]:
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
