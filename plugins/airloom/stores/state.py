"""The state database: one SQL database for MLflow, the Feast registry and the ledger."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlalchemy import Engine

_BUSY_SECONDS = 30


@cache
def state_engine(url: str) -> Engine:
    """Open the state database, one engine a process.

    Args:
        url: SQLAlchemy URL; the folder of a SQLite file is created when it is missing.
    """
    from sqlalchemy import create_engine, event, make_url
    from sqlalchemy.pool import NullPool

    database = make_url(url)
    if database.get_backend_name() != "sqlite":
        return create_engine(url, pool_pre_ping=True)
    if database.database:
        Path(database.database).parent.mkdir(parents=True, exist_ok=True)
    # A pooled SQLite connection must not be carried over a fork into a task.
    engine = create_engine(url, poolclass=NullPool, connect_args={"timeout": _BUSY_SECONDS})
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_immediate)
    return engine


def in_utc(value: Any) -> Any:
    """Return a moment with its time zone, which SQLite does not keep; anything else as it is."""
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) and value.tzinfo is None else value


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")


def _begin_immediate(connection: Any) -> None:
    """Take the write lock at once: a transaction that reads first and writes later would fail instead of waiting."""
    connection.exec_driver_sql("BEGIN IMMEDIATE")
