"""vacuum: frees the disk of what no version needs that may have to be made again.

Kept whole, whatever their age, are the commits and the training sets of every version that was ever champion, and of
every challenger that was judged within the retention.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from airloom.core.errors import VersionGone
from airloom.core.pipeline import Pipeline
from airloom.core.places import S3Path
from airloom.core.settings import Settings
from airloom.core.vacuumed import Freed, Kept, Lost, Vacuumed
from airloom.steps.versions import KnownVersion
from airloom.stores.files import files_below
from airloom.stores.kept_events import pack_events
from airloom.stores.lake import Lake
from airloom.stores.ledger import Ledger
from airloom.stores.ledger_mark import require_ledger
from airloom.stores.objects import Stored
from airloom.stores.vacuum import vacuum_files, vacuum_table, vacuum_uploads


def vacuum(pipeline: Pipeline, older_than: timedelta, settings: Settings, dry_run: bool = False) -> Vacuumed:
    """Remove old files of the lake, of training sets and of staging that no version needs that is kept.

    Args:
        pipeline: The declaration.
        older_than: The retention: what was replaced, written or judged less long ago stays.
        settings: Where everything is.
        dry_run: Only say what would be removed.

    Returns:
        What was removed, and what is kept for which version.

    Raises:
        Unavailable: MLflow does not say what a version was trained on, and so nothing was removed.
    """
    kept, lost = _needed(pipeline, datetime.now(UTC) - older_than, settings)
    freed = [
        *_lake(Lake(settings.lake / pipeline.name), older_than, kept, dry_run),
        vacuum_files("training sets", _training_sets(pipeline, kept, settings), older_than, dry_run),
        vacuum_files("staging", files_below(settings.staging / pipeline.name), older_than, dry_run),
        *_bucket(settings, dry_run),
    ]
    return Vacuumed(
        pipeline=pipeline.name,
        dry_run=dry_run,
        hours=math.ceil(older_than / timedelta(hours=1)),
        freed=tuple(freed),
        kept=kept,
        lost=lost,
    )


def _needed(pipeline: Pipeline, since: datetime, settings: Settings) -> tuple[tuple[Kept, ...], tuple[Lost, ...]]:
    """Return the versions to keep with what each was trained on, and those that are gone from the registry."""
    kept: list[Kept] = []
    lost: list[Lost] = []
    for version, why in sorted(_versions(pipeline, since, settings).items()):
        known = KnownVersion(pipeline, version, settings)
        try:
            digest = known.info.training_digest
            kept.append(Kept(version=version, why=why, commits=known.commits, training_digest=digest))
        except VersionGone as error:
            lost.append(Lost(version=version, why=f"{why}: {error.brief}"))
    return tuple(kept), tuple(lost)


def _versions(pipeline: Pipeline, since: datetime, settings: Settings) -> dict[int, str]:
    """Return the versions that may have to be made again, with the reason: champion ever, or judged lately."""
    require_ledger(pipeline.name, settings)
    ledger = Ledger(settings.state_url)
    epochs: dict[int, list[int]] = {}
    judged = {
        verdict.challenger.version: f"judged as of {verdict.partition}"
        for decided_at, verdict in ledger.decisions(pipeline.name)
        if decided_at >= since
    }
    for row in ledger.history(pipeline.name):
        epochs.setdefault(row.version, []).append(row.epoch)
    champions = {
        version: f"champion, {'epoch' if len(each) == 1 else 'epochs'} {', '.join(map(str, each))}"
        for version, each in epochs.items()
    }
    return judged | champions


def _lake(lake: Lake, older_than: timedelta, kept: tuple[Kept, ...], dry_run: bool) -> Iterator[Freed]:
    for table in lake.tables():
        commits = {each.commits[table] for each in kept if table in each.commits}
        yield vacuum_table(lake, table, older_than, commits, dry_run)


def _bucket(settings: Settings, dry_run: bool) -> Iterator[Freed]:
    """Tidy up what all pipelines share in a bucket."""
    if isinstance(settings.shared, S3Path):
        yield vacuum_uploads(settings.shared, dry_run)
    if isinstance(settings.lineage, S3Path):
        yield pack_events(settings.lineage, dry_run)


def _training_sets(pipeline: Pipeline, kept: tuple[Kept, ...], settings: Settings) -> Iterator[Stored]:
    """Yield the files of training sets, and of results by row, that belong to no kept version."""
    digests = {each.training_digest for each in kept}
    for file in files_below(settings.training / pipeline.name):
        if file.place.name.partition(".")[0] not in digests:
            yield file
