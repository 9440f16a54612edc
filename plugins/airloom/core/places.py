"""Where things are kept: a folder of this machine, or a prefix of an S3 bucket, both walked with `/`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from airloom.core.errors import SetupError

_S3 = "s3://"


@dataclass(frozen=True)
class S3Path:
    """An object of a bucket, or the prefix of several: the part of `pathlib.Path` that names things.

    Args:
        bucket: The bucket.
        key: The object's key, without a slash at either end; empty for the bucket itself.
    """

    bucket: str
    key: str = ""

    def __truediv__(self, name: str | PurePosixPath) -> S3Path:
        return S3Path(self.bucket, (PurePosixPath(self.key) / name).as_posix().removeprefix("./"))

    def __str__(self) -> str:
        return f"{_S3}{self.bucket}/{self.key}".rstrip("/")

    def joinpath(self, *names: str) -> S3Path:
        """Return what lies below, like `/` with each name in turn."""
        return S3Path(self.bucket, PurePosixPath(self.key, *names).as_posix().removeprefix("./"))

    @property
    def name(self) -> str:
        """The last part of the key."""
        return PurePosixPath(self.key).name

    @property
    def stem(self) -> str:
        """The last part of the key without its suffix."""
        return PurePosixPath(self.key).stem

    @property
    def parent(self) -> S3Path:
        """The prefix that it lies in."""
        parent = PurePosixPath(self.key).parent.as_posix()
        return S3Path(self.bucket, "" if parent == "." else parent)

    def relative_to(self, other: S3Path) -> PurePosixPath:
        """Return the path from a prefix to this."""
        return PurePosixPath(self.key).relative_to(other.key or ".")

    def as_uri(self) -> str:
        """Return the URL."""
        return str(self)


Place = Path | S3Path


def parse_place(text: str) -> Place:
    """Read a place from a setting.

    Args:
        text: A folder, or `s3://bucket/prefix`.

    Raises:
        SetupError: It is a URL of another kind, or names no bucket.
    """
    if text.startswith(_S3):
        bucket, _, key = text.removeprefix(_S3).partition("/")
        if bucket:
            return S3Path(bucket, key.strip("/"))
    elif "://" not in text:
        return Path(text)
    raise SetupError(
        "This is not a place where Airloom can keep anything.",
        where="AIRLOOM_STORAGE_URL",
        found=text.partition("?")[0].rpartition("@")[2],
        expected="a folder, or s3://bucket/prefix",
    )
