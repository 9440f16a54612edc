"""The state database: one SQL database for MLflow, the Feast registry and the ledger."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from airloom.stores.database import open_database

if TYPE_CHECKING:
    from sqlalchemy import Engine


@cache
def state_engine(url: str) -> Engine:
    """Open the state database, one engine a process; it holds no connection that a fork could carry over.

    Args:
        url: SQLAlchemy URL; the folder of a SQLite file is created when it is missing.

    Raises:
        SetupError: The URL is none that can be connected to.
    """
    return open_database(url, "The state database", "AIRLOOM_STATE_URL")


def in_utc(value: Any) -> Any:
    """Return a moment in UTC, whose time zone SQLite does not keep; anything else as it is."""
    if not isinstance(value, datetime):
        return value
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
