"""How SQL databases are opened, SQLite files and PostgreSQL servers: never over a fork, never without an end."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from airloom.core.errors import SetupError, Unavailable
from airloom.core.urls import without_credentials

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection, Engine
    from sqlalchemy.engine import ExceptionContext

_BUSY_SECONDS = 30
_CONNECT_SECONDS = 10
#: A server that does not acknowledge what was sent for so long is gone; by itself TCP tries for a quarter of an hour.
_ACKNOWLEDGE_SECONDS = 30


def open_database(url: str, name: str, setting: str) -> Engine:
    """Open a database; nothing is connected to yet.

    Connections are not pooled: a pooled one would be carried over a fork into a task, and a new one also finds a server
    that was started again meanwhile.

    Args:
        url: SQLAlchemy URL; the folder of a SQLite file is created when it is missing.
        name: What errors call it.
        setting: The variable that holds the URL.

    Returns:
        The engine; connecting by it raises Unavailable where the database cannot be reached.

    Raises:
        SetupError: The URL is none that can be connected to.
    """
    from sqlalchemy import create_engine, event
    from sqlalchemy.exc import ArgumentError

    unreadable = SetupError(
        f"{name} cannot be opened.",
        where=setting,
        found=f"{without_credentials(url)}, which cannot be read",
        expected="sqlite:///file or postgresql+psycopg://user:password@host:port/database, special characters of the "
        "password as %XX",
    )
    try:
        engine = create_engine(url, **connect_options(url))
    except (ArgumentError, ImportError, ValueError):
        # What is said may quote the password.
        raise unreadable from None
    if "@" in (engine.url.host or ""):
        # It begins with the end of a password, which what the driver says of it would quote.
        raise unreadable
    event.listen(engine, "handle_error", lambda context: _tell_unreachable(context, name, setting))
    if is_sqlite(url):
        if engine.url.database:
            Path(engine.url.database).parent.mkdir(parents=True, exist_ok=True)
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_immediate)
    return engine


def connect_options(url: str) -> dict[str, Any]:
    """Return SQLAlchemy's options by which everything connects to a database, Feast's registry too."""
    from sqlalchemy import make_url
    from sqlalchemy.pool import NullPool

    full = make_url(url)
    patience = {"timeout": _BUSY_SECONDS} if is_sqlite(url) else {"connect_timeout": _CONNECT_SECONDS}
    if full.get_backend_name() == "postgresql":
        patience = libpq_options()
    # What is given here counts more than what the URL says.
    said = {name: value for name, value in patience.items() if name not in full.query}
    return {"poolclass": NullPool, "connect_args": said}


def libpq_options() -> dict[str, int]:
    """Return libpq's options by which a host that has vanished is noticed within a minute, not after hours."""
    return {
        "connect_timeout": _CONNECT_SECONDS,
        "keepalives_idle": _ACKNOWLEDGE_SECONDS,
        "keepalives_interval": 10,
        "keepalives_count": 3,
        "tcp_user_timeout": _ACKNOWLEDGE_SECONDS * 1000,
    }


def is_sqlite(url: str) -> bool:
    """Tell whether a database is a file of this machine."""
    return url.startswith("sqlite")


def is_absent(url: str) -> bool:
    """Tell whether a database is a file that is not there, or has nothing in it; opening it would make one."""
    from sqlalchemy import make_url

    file = make_url(url).database if is_sqlite(url) else None
    return file is not None and not (Path(file).is_file() and Path(file).stat().st_size)


def without_password(url: str | URL) -> str:
    """Return what may be told of a URL: no user, no password, and no options, which may hold one too."""
    full = url if isinstance(url, str) else url.render_as_string(hide_password=False)
    return full.partition("?")[0] if is_sqlite(full) else without_credentials(full)


def _tell_unreachable(context: ExceptionContext, name: str, setting: str) -> None:
    """Turn a connection that could not be made into an error that says so."""
    if context.connection is None and context.engine is not None:
        raise Unavailable(
            f"{name} cannot be reached.",
            where=without_password(context.engine.url),
            found=str(context.original_exception).partition("\n")[0],
            expected="a database that answers, and a user who may use it",
            do=f"start or create it, or correct {setting}",
        )


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")


def _begin_immediate(connection: Connection) -> None:
    """Take the write lock at once: a transaction that reads first and writes later would fail instead of waiting."""
    if connection.get_execution_options().get("isolation_level") == "AUTOCOMMIT":
        return  # Nothing is begun, although SQLAlchemy says so, and nothing is locked.
    connection.exec_driver_sql("BEGIN IMMEDIATE")
