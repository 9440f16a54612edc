"""Whether the registry of features has what pipelines define."""

from __future__ import annotations

from collections.abc import Iterator

from airloom.core.declaration import read_pipelines
from airloom.core.errors import AirloomError
from airloom.core.wording import counted
from airloom.launcher.doctor.findings import Finding, ok, told, wrong
from airloom.launcher.doctor.subject import Subject
from airloom.launcher.features import differing_features


def features(subject: Subject) -> Iterator[Finding]:
    """Compare every feature view and entity of every pipeline that can be read with what is registered."""
    pipelines, _ = read_pipelines(subject.settings.include)
    for pipeline in pipelines:
        try:
            otherwise = differing_features(subject.settings, pipeline)
        except AirloomError as error:
            yield told("features", error)
            continue
        if otherwise:
            said = f"{pipeline.name}: registered otherwise than {pipeline.features.module} says: {', '.join(otherwise)}"
            yield wrong("features", said, "run: airloom apply")
        else:
            views = counted(len(pipeline.features.views), "feature view")
            yield ok("features", f"{pipeline.name}: {views} as defined in the SQL registry of the state database")
    if not pipelines:
        yield ok("features", "no pipeline that could have any")
