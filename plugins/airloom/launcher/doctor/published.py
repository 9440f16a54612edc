"""Whether any published day lies ahead: an online row of such a day is replaced by no ordinary day's."""

from __future__ import annotations

from collections.abc import Iterator

from airloom.core.declaration import read_pipelines
from airloom.core.partitions import has_ended
from airloom.core.wording import listed
from airloom.launcher.doctor.findings import Finding, wrong
from airloom.launcher.doctor.subject import Subject


def published_days(subject: Subject) -> Iterator[Finding]:
    """Look for published days that have not ended in their pipeline's zone; nothing is found where there are none."""
    from airloom.stores.lake import Lake

    pipelines, _ = read_pipelines(subject.settings.include)
    for pipeline in pipelines:
        lake, zone = Lake(subject.settings.lake / pipeline.name), pipeline.schedule.timezone
        for table in lake.tables():
            ahead = [str(day) for day in sorted(lake.partitions(table)) if not has_ended(day, zone)]
            if ahead:
                said = f"{pipeline.name}: {table} has days that have not ended in {zone}: {listed(ahead)}"
                do = f"run {pipeline.name} for each of them again once it has ended; that replaces what is published"
                yield wrong("published days", said, do)
