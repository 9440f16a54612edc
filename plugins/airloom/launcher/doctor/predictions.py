"""Whether predictions can be copied to the database that pipelines want them in."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from airloom.core.declaration import read_pipelines
from airloom.core.errors import SetupError
from airloom.core.urls import without_credentials
from airloom.launcher.doctor.findings import Finding, ok
from airloom.launcher.doctor.machine import existing
from airloom.launcher.doctor.subject import Subject
from airloom.launcher.doctor.writing import never_committed

_NAME, _SETTING = "The database for predictions", "AIRLOOM_PREDICTIONS_URL"


def predictions(subject: Subject) -> Iterator[Finding]:
    """Write to the database, where a pipeline declares a table in it."""
    from airloom.stores.database import is_sqlite
    from airloom.stores.sink import open_sink

    pipelines, _ = read_pipelines(subject.settings.include)
    tables = sorted({sink.name for pipeline in pipelines if (sink := open_sink(pipeline, subject.settings))})
    url = subject.settings.predictions_url
    if not tables:
        yield ok("predictions", "no pipeline copies them to a table")
        return
    if not is_sqlite(url) or _is_there(url):
        _try(url, tables)
    place = "a file" if is_sqlite(url) else without_credentials(url)
    yield ok("predictions", f"copied to {place}, table {', '.join(tables)}")


def _is_there(url: str) -> bool:
    """Tell whether a SQLite file is there already; otherwise it must be possible to make it."""
    from sqlalchemy import make_url

    file = Path(make_url(url).database or "")
    if file.is_file():
        return True
    folder = existing(file.parent)
    if not (folder.is_dir() and os.access(folder, os.W_OK)):
        do = f"let this user write there, or correct {_SETTING}"
        raise SetupError(f"{_NAME} cannot be made.", where=str(file), do=do)
    return False


def _try(url: str, tables: list[str]) -> None:
    """Write to the tables that are there, and make one where one is missing."""
    from sqlalchemy import inspect

    with never_committed(url, _NAME, _SETTING) as connection:
        quote = connection.dialect.identifier_preparer.quote
        there = [quote(name) for name in tables if inspect(connection).has_table(name)]
        for table in there:
            # No row is locked or counted; rights are asked for all the same.
            connection.exec_driver_sql(f"DELETE FROM {table} WHERE 1 = 0")  # noqa: S608 - quoted
            connection.exec_driver_sql(f"INSERT INTO {table} SELECT * FROM {table} WHERE 1 = 0")  # noqa: S608 - quoted
        if len(there) < len(tables):
            connection.exec_driver_sql("CREATE TABLE airloom_doctor_probe (value INTEGER)")
