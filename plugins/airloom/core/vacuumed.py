"""What a vacuum has removed, or would remove, and what it has kept for which version of the model."""

from __future__ import annotations

from airloom.core.difference import Fact


class Freed(Fact):
    """Files of one place that are gone, or would be.

    Args:
        name: A table of the lake, or what else was looked at, such as `training sets`.
        files: How many files.
        size: Their bytes.
        holds: Other tables inside the folder of a table, which is left alone because of them.
    """

    name: str
    files: int
    size: int
    holds: tuple[str, ...] = ()


class Kept(Fact):
    """A version that can still be made again afterwards.

    Args:
        version: The version.
        why: What it is kept for.
        commits: The lake's commits that are kept for it, by table.
        training_digest: Its training set.
    """

    version: int
    why: str
    commits: dict[str, int]
    training_digest: str


class Lost(Fact):
    """A version of the ledger for which nothing could be kept.

    Args:
        version: The version.
        why: Why not.
    """

    version: int
    why: str


class Vacuumed(Fact):
    """What a vacuum did.

    Args:
        pipeline: The pipeline.
        dry_run: Whether nothing was removed.
        hours: Files that were replaced less than so many hours ago are kept.
        freed: What was removed, by place.
        kept: The versions that are kept whole, whatever their age.
        lost: Versions of the ledger that are not in the registry any more.
    """

    pipeline: str
    dry_run: bool
    hours: int
    freed: tuple[Freed, ...]
    kept: tuple[Kept, ...]
    lost: tuple[Lost, ...] = ()
