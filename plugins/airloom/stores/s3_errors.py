"""What S3 and its clients say when they refuse, said so that a person can act; no secret is in it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from airloom.core.errors import SetupError, Unavailable
from airloom.core.places import S3Path

#: Codes of S3 that mean: this bucket lies in another region.
ELSEWHERE = ("PermanentRedirect", "301", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException")

_NO_CREDENTIALS = "NoCredentials"
_UNREACHABLE = "Unreachable"

_BAD_NAME = "InvalidBucketName"

_BUCKET = (
    "There is no such bucket.",
    "the bucket that AIRLOOM_STORAGE_URL names",
    "create the bucket {place.bucket}, or correct AIRLOOM_STORAGE_URL",
)
_CREDENTIALS = (
    "S3 does not accept the credentials.",
    "credentials of the AWS chain (environment, profile, role) that are good now",
    "renew them; `aws sts get-caller-identity` says whose they are",
)
_ACCESS = (
    "S3 refuses access.",
    "permission to read, write, list and remove below {place}",
    "grant it to these credentials: docs/storage.md has the policy",
)
_KEY = (
    "The key that S3 is to encrypt with cannot be used.",
    "an enabled KMS key of the bucket's region that these credentials may use",
    "correct AIRLOOM_S3_KMS_KEY, or allow kms:GenerateDataKey and kms:Decrypt",
)

#: What is wrong, what is expected and what to do, by the code that S3 answers.
_REFUSALS = {
    **dict.fromkeys(("NoSuchBucket", _BAD_NAME), _BUCKET),
    **dict.fromkeys(("AccessDenied", "AllAccessDisabled", "403"), _ACCESS),
    **dict.fromkeys(
        ("InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken", "TokenRefreshRequired"),
        _CREDENTIALS,
    ),
    "RequestTimeTooSkewed": (
        "The clock of this machine is wrong.",
        "a time that differs from S3's by less than 15 minutes",
        "set the clock, best by NTP: timedatectl set-ntp true",
    ),
    "NotImplemented": (
        "This S3 server lacks something that Airloom needs.",
        "conditional writes (If-None-Match), which keep two commits from replacing each other",
        "use a newer version of the server, or another one",
    ),
    _NO_CREDENTIALS: (
        "There are no credentials for S3.",
        "credentials in the environment, in a profile or of a role",
        "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE",
    ),
}

#: What deltalake's errors say that come from a request to S3.
_DELTALAKE = "Error performing "
_COLOUR = re.compile(r"\x1b\[\d*m")
_TAG = "<{0}>([^<]*)</{0}>"
_REGION = re.compile(r"expecting '([\w-]+)'|s3[.-]([a-z]+(?:-[a-z]+)+-\d)\.")
_USER = re.compile(r"//[^/@\s\"]*@")


@dataclass(frozen=True)
class Said:
    """What a client was told.

    Args:
        code: S3's code, or one of ours for what happened before S3 could say anything.
        words: The rest, in a line.
        region: Where the bucket is, if that was said.
    """

    code: str
    words: str = ""
    region: str = ""


def said_by(error: Exception) -> Said | None:
    """Return what an error of boto3 or deltalake says of S3; None for one that has nothing to do with it."""
    from botocore.exceptions import BotoCoreError, ClientError

    if isinstance(error, ClientError):
        return _answered(error)
    if isinstance(error, BotoCoreError):
        return _unanswered(error)
    if _DELTALAKE in str(error) or (type(error) is OSError and error.errno is None):
        return _told_by_deltalake(str(error))
    return None


def _answered(error: Any) -> Said:
    answer, headers = error.response["Error"], error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    code, words = str(answer["Code"]), str(answer.get("Message", ""))
    region = answer.get("Region") or headers.get("x-amz-bucket-region")
    return Said(code, words, region or _region(f"{words} {answer.get('Endpoint', '')}"))


def _unanswered(error: Exception) -> Said:
    from botocore import exceptions

    nobody = (
        *(exceptions.NoCredentialsError, exceptions.PartialCredentialsError, exceptions.CredentialRetrievalError),
        *(exceptions.ProfileNotFound, exceptions.SSOError, exceptions.TokenRetrievalError),
    )
    if isinstance(error, nobody):
        return Said(_NO_CREDENTIALS, str(error))
    if isinstance(error, exceptions.ParamValidationError):
        return Said(_BAD_NAME, " ".join(str(error).split()))
    on_the_way = isinstance(error, exceptions.HTTPClientError | exceptions.ConnectionError)
    return Said(_UNREACHABLE if on_the_way else type(error).__name__, str(error))


def _told_by_deltalake(text: str) -> Said:
    """Find S3's answer in the lines of an error."""
    plain = " ".join(line.strip(" ↳") for line in _COLOUR.sub("", text).splitlines())
    tags = {name: re.search(_TAG.format(name), plain) for name in ("Code", "Message", "Region")}
    code, message, region = (found[1] if found else "" for found in tags.values())
    if code:
        return Said(code, message, region or _region(message))
    known = {"incorrectly configured region": ELSEWHERE[0], "403 Forbidden": "403", "HTTP error": _UNREACHABLE}
    return Said(next((said for words, said in known.items() if words in plain), ""), plain)


def _region(text: str) -> str:
    found = _REGION.search(text)
    return (found[1] or found[2]) if found else ""


def problem(place: S3Path, said: Said) -> SetupError:
    """Return the error to raise: what a person must mend, or `Unavailable` where the same again may help."""
    found = _USER.sub("//", ": ".join(filter(None, [said.code, said.words])))
    if said.code in ELSEWHERE:
        return SetupError(
            "The bucket lies in another region.",
            where=str(place),
            found=found,
            expected=f"AWS_REGION={said.region}" if said.region else "the bucket's own region in AWS_REGION",
            do="set AWS_REGION, or the region of the profile, to this",
        )
    known = _KEY if said.code.startswith("KMS.") else _REFUSALS.get(said.code)
    if known:
        what, expected, do = (text.format(place=place) for text in known)
        return SetupError(what, where=str(place), found=found, expected=expected, do=do)
    return Unavailable(
        "S3 cannot be reached." if said.code == _UNREACHABLE else "S3 does not do what it is asked.",
        where=str(place),
        found=found.removeprefix(f"{_UNREACHABLE}: "),
        do="look at the network and at AWS_ENDPOINT_URL_S3, then run this again",
    )
