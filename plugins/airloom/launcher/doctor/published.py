"""Whether any published day lies ahead, whose online rows no ordinary day replaces, and what was taken back."""

from __future__ import annotations

from collections.abc import Iterator

from airloom.core.declaration import read_pipelines
from airloom.core.partitions import has_ended
from airloom.core.pipeline import Pipeline
from airloom.core.wording import listed
from airloom.launcher.doctor.databases import told_by_its_own_check
from airloom.launcher.doctor.findings import Finding, ok, wrong
from airloom.launcher.doctor.subject import Subject

_NAME = "published days"


def published_days(subject: Subject) -> Iterator[Finding]:
    """Look for published days that have not ended in their pipeline's zone, and for withdrawals that are not finished.

    Nothing is found where there are none.
    """
    from airloom.stores.lake import Lake

    pipelines, _ = read_pipelines(subject.settings.include)
    for pipeline in pipelines:
        yield from _withdrawn(pipeline, subject)
        lake, zone = Lake(subject.settings.lake / pipeline.name), pipeline.schedule.timezone
        for table in lake.tables():
            ahead = [str(day) for day in sorted(lake.partitions(table)) if not has_ended(day, zone)]
            if ahead:
                said = f"{pipeline.name}: {table} has days that have not ended in {zone}: {listed(ahead)}"
                do = f"take each of them back: airloom unpublish {pipeline.name} {table} --day {ahead[0]}"
                yield wrong(_NAME, said, do)


def _withdrawn(pipeline: Pipeline, subject: Subject) -> Iterator[Finding]:
    from airloom.stores.withdrawals import Withdrawal, Withdrawals

    lasting: list[Withdrawal] = []
    with told_by_its_own_check():
        lasting += Withdrawals.of(pipeline.name, subject.settings).lasting().values()
    for each in lasting:
        if not each.done:
            do = f"airloom unpublish {pipeline.name} {each.table} --day {each.partition}"
            yield wrong(_NAME, f"{pipeline.name}: taking a day back was not finished: {each}", do)
    if done := [f"{each.table} {each.partition}" for each in lasting if each.done]:
        yield ok(_NAME, f"{pipeline.name}: taken back, and not published again: {listed(done)}")
