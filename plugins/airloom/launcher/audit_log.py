"""Writes Airflow's audit entries outside the API server's event loop, where its database is SQLite.

Airflow's routes write from threads, which may wait for SQLite's write lock. One place writes in the event loop: every
route that changes something first commits an audit entry there (airflow/api_fastapi/logging/decorators.py). While the
loop waits for the lock, the request that holds the lock cannot end: both stand still until SQLite gives up, and one of
them fails. So a commit in an event loop leaves its new rows to one thread with a session of its own, and does not wait.
"""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

log = logging.getLogger(__name__)


class AuditLog:
    """Takes new rows out of commits in an event loop, and writes them one after the other.

    Args:
        engine: The engine of the metadata database; sessions of other engines are left alone.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def take(self, session: Session) -> None:
        """Take the new rows of a session that is about to commit in an event loop; a listener of `before_commit`."""
        if session.bind is not self.engine or not session.new or not _in_event_loop():
            return
        rows = list(session.new)
        for row in rows:
            session.expunge(row)
        self._thread.submit(self._write, rows)

    @cached_property
    def _thread(self) -> ThreadPoolExecutor:
        # The interpreter waits for it before it exits, so that an entry is not lost when the server is stopped.
        return ThreadPoolExecutor(1, "airloom-audit-log")

    def _write(self, rows: list[Any]) -> None:
        try:
            with Session(self.engine) as session:
                session.add_all(rows)
                session.commit()
        except SQLAlchemyError:
            log.exception("An audit entry was not written: %s", [str(row) for row in rows])


def _in_event_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
