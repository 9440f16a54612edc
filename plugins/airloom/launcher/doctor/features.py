"""Whether the registry of features has what pipelines declare."""

from __future__ import annotations

from collections.abc import Iterator

from airloom.core.declaration import read_pipelines
from airloom.core.errors import AirloomError
from airloom.core.wording import counted
from airloom.launcher.doctor.findings import Finding, ok, told
from airloom.launcher.doctor.subject import Subject


def features(subject: Subject) -> Iterator[Finding]:
    """Look for every feature view of every pipeline that can be read."""
    from airloom.stores.features import open_feature_store

    pipelines, _ = read_pipelines(subject.settings.include)
    for pipeline in pipelines:
        try:
            open_feature_store(pipeline, subject.settings)
        except AirloomError as error:
            yield told("features", error)
        else:
            views = counted(len(pipeline.features.views), "feature view")
            yield ok("features", f"{pipeline.name}: {views} registered in the state database")
    if not pipelines:
        yield ok("features", "no pipeline that could have any")
