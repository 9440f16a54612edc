"""Whether predictions can be copied to the database that pipelines want them in."""

from __future__ import annotations

from collections.abc import Iterator

from airloom.core.declaration import read_pipelines
from airloom.core.urls import without_credentials
from airloom.launcher.doctor.findings import Finding, ok
from airloom.launcher.doctor.subject import Subject


def predictions(subject: Subject) -> Iterator[Finding]:
    """Connect to the database, where a pipeline declares a table in it."""
    from airloom.stores.database import is_sqlite, open_database
    from airloom.stores.sink import open_sink

    pipelines, _ = read_pipelines(subject.settings.include)
    tables = [sink.name for pipeline in pipelines if (sink := open_sink(pipeline, subject.settings))]
    url = subject.settings.predictions_url
    if not tables:
        yield ok("predictions", "no pipeline copies them to a table")
        return
    if not is_sqlite(url):
        open_database(url, "The database for predictions", "AIRLOOM_PREDICTIONS_URL").connect().close()
    place = "a file" if is_sqlite(url) else without_credentials(url)
    yield ok("predictions", f"copied to {place}, table {', '.join(sorted(set(tables)))}")
