"""Whether the ledger still has the champions that the lakes know of."""

from __future__ import annotations

from collections.abc import Iterator

from airloom.core.declaration import read_pipelines
from airloom.launcher.doctor.databases import told_by_its_own_check
from airloom.launcher.doctor.findings import Finding, wrong
from airloom.launcher.doctor.subject import Subject


def lost_champions(subject: Subject) -> Iterator[Finding]:
    """Compare lakes with the ledger; nothing is found where it can be read and has everything."""
    from airloom.stores.ledger_mark import RESTORE, missing_champions

    pipelines, _ = read_pipelines(subject.settings.include)
    for name in (pipeline.name for pipeline in pipelines):
        missing = None
        with told_by_its_own_check():
            missing = missing_champions(name, subject.settings)
        if missing:
            yield wrong("lost champions", f"{name}: the ledger does not have {missing}", RESTORE)
