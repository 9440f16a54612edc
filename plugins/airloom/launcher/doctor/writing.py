"""Whether a SQL database can be written: in a transaction that is never committed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from airloom.core.errors import SetupError
from airloom.launcher.doctor.quoting import plain
from airloom.stores.database import is_sqlite, open_database, without_password

if TYPE_CHECKING:
    from sqlalchemy import Connection

#: The state database, as errors call it and the environment names it.
STATE_DATABASE, STATE_URL = "The state database", "AIRLOOM_STATE_URL"

_SECONDS = 5
_READ_ONLY = "25006"


def require_writable(url: str, name: str, setting: str, statement: str) -> None:
    """Write, and take it back.

    Args:
        url: SQLAlchemy URL of the database.
        name: What errors call it.
        setting: The variable that holds the URL.
        statement: Writes to a table that is there, as those do who use the database.

    Raises:
        SetupError: The database refuses, or may only be read.
    """
    with never_committed(url, name, setting) as connection:
        connection.exec_driver_sql(statement)


@contextmanager
def never_committed(url: str, name: str, setting: str) -> Iterator[Connection]:
    """Open a transaction that ends in nothing; what the database refuses in it is told.

    Raises:
        SetupError: The database refuses, or may only be read.
    """
    with refusals(url, name, setting), open_database(url, name, setting).connect() as connection:
        if not is_sqlite(url):
            connection.exec_driver_sql(f"SET LOCAL statement_timeout = '{_SECONDS}s'")
        yield connection
        connection.rollback()


@contextmanager
def refusals(url: str, name: str, setting: str) -> Iterator[None]:
    """Tell what a database refuses, such as a user without the rights.

    Raises:
        SetupError: It refuses, or may only be read.
    """
    from sqlalchemy.exc import DBAPIError

    try:
        yield
    except DBAPIError as error:
        where, found = without_password(url), plain(error.orig)
        if _is_read_only(error.orig):
            do = f"name a database in {setting} that can be written: this one may be a standby, or a protected file"
            raise SetupError(f"{name} is read-only.", where=where, found=found, do=do) from None
        do = f"let the user of {setting} read and write its tables; if it is locked, wait for the writer"
        raise SetupError(f"{name} cannot be used.", where=where, found=found, do=do) from None


def _is_read_only(error: BaseException | None) -> bool:
    told = getattr(error, "sqlstate", None) or getattr(error, "sqlite_errorname", None) or ""
    return told == _READ_ONLY or told.startswith("SQLITE_READONLY")
