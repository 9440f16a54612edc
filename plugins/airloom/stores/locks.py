"""Locks around what all processes share: files on one machine, PostgreSQL's advisory locks on several."""

from __future__ import annotations

import fcntl
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TextIO

from airloom.core.errors import Unavailable
from airloom.core.settings import Settings
from airloom.stores.database import is_sqlite, without_password
from airloom.stores.state import state_engine

if TYPE_CHECKING:
    from sqlalchemy import Connection

Shared = Literal["mlflow", "features"]

#: What is done under a lock takes a second, and making MLflow's tables on a busy machine many; nothing takes minutes.
_PATIENCE_SECONDS = 120.0
#: An MLflow server that is started again is waited for under the lock: for as long as its client tries, and some more.
_SERVED_PATIENCE_SECONDS = 400.0

_POLL_SECONDS = 0.02
_WORDS = {"mlflow": "MLflow's state", "features": "the registry of features"}

#: The first half of every advisory lock's key in the state database; the second half is the lock's own.
ADVISORY = 0x4149524C
_KEYS = {"mlflow": 1, "features": 2}
_LOCK_NOT_AVAILABLE = "55P03"

#: A holder whose machine is gone is noticed after a minute, not after hours.
_SESSION = """
SELECT set_config('application_name', :holder, false), set_config('lock_timeout', :patience, false),
       set_config('tcp_keepalives_idle', '30', false), set_config('tcp_keepalives_interval', '10', false),
       set_config('tcp_keepalives_count', '3', false)
"""
_HOLDER = """
SELECT activity.application_name, activity.pid, host(activity.client_addr)
FROM pg_locks AS lock JOIN pg_stat_activity AS activity USING (pid)
WHERE lock.locktype = 'advisory' AND lock.granted AND lock.objsubid = 2
  AND lock.classid = :first AND lock.objid = :second AND activity.datname = current_database()
"""

#: The locks that a thread of a process holds: who holds one may ask for it again.
_held: set[tuple[str, Path, Shared, int, int]] = set()


@contextmanager
def exclusive(settings: Settings, name: Shared, patience: float | None = None) -> Iterator[None]:
    """Let one process at a time change what all share.

    Where the state database is a file, processes of this machine are kept apart; where it is a server, all that use it.
    The lock goes with the process that holds it, however that ends.

    Args:
        settings: Where the lock is.
        name: What is changed.
        patience: For how many seconds to wait for others; by default longer than what they do can take.

    Raises:
        Unavailable: Another process has not let go in time.
    """
    holder = (settings.state_url, settings.var, name, os.getpid(), threading.get_ident())
    if holder in _held:
        yield
        return
    if patience is None:
        patience = _SERVED_PATIENCE_SECONDS if settings.tracking_url else _PATIENCE_SECONDS
    take = _file_lock if is_sqlite(settings.state_url) else _advisory_lock
    with take(settings, name, patience):
        _held.add(holder)
        try:
            yield
        finally:
            _held.discard(holder)


@contextmanager
def _file_lock(settings: Settings, name: Shared, patience: float) -> Iterator[None]:
    file = settings.var / "state" / f"{name}.lock"
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a+") as lock:
        _wait_for(lock, name, patience)
        lock.truncate(0)
        lock.write(f"{os.getpid()}")
        lock.flush()
        yield


def _wait_for(lock: TextIO, name: Shared, patience: float) -> None:
    """Take the lock; the system takes it back when its process ends, but not while that is stopped."""
    until = time.monotonic() + patience
    while True:
        try:
            return fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= until:
                lock.seek(0)
                pid = lock.read()
                ways = f"ps -fp {pid}", f"kill -9 {pid}"
                raise _never_free(name, lock.name, patience, f"process {pid}", *ways) from None
            time.sleep(_POLL_SECONDS)


@contextmanager
def _advisory_lock(settings: Settings, name: Shared, patience: float) -> Iterator[None]:
    """Hold a lock of a session of its own, which the server takes back when the connection ends."""
    from sqlalchemy import text
    from sqlalchemy.exc import DBAPIError

    session = {"holder": _myself(), "patience": str(max(1, round(patience * 1000)))}
    key = {"first": ADVISORY, "second": _KEYS[name]}
    with state_engine(settings.state_url).connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(_SESSION), session)
        try:
            connection.execute(text("SELECT pg_advisory_lock(:first, :second)"), key)
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", None) != _LOCK_NOT_AVAILABLE:
                raise
            where = without_password(settings.state_url)
            raise _never_free(name, where, patience, *_holder(connection, key)) from None
        try:
            yield
        finally:
            # The server lets go when the connection ends, too, only a moment later.
            with suppress(DBAPIError):
                connection.execute(text("SELECT pg_advisory_unlock(:first, :second)"), key)


def _myself() -> str:
    """Name this process as it is shown in `pg_stat_activity`, which has room for 63 characters."""
    return f"process {os.getpid()} on {socket.gethostname()}"[:63]


def _holder(connection: Connection, key: dict[str, int]) -> tuple[str, str, str]:
    """Say who holds a lock, how to look at it and how to end it."""
    from sqlalchemy import text

    process, session, client = connection.execute(text(_HOLDER), key).first() or ("nobody any more", 0, None)
    holder = f"{process} ({client or 'by a local socket'}), session {session}"
    ends = f"kill -9 there, or in the database: SELECT pg_terminate_backend({session})"
    return holder, f"pg_stat_activity, pid {session}", ends


def _never_free(name: Shared, where: str, patience: float, holder: str, look: str, end: str) -> Unavailable:
    return Unavailable(
        f"Another process keeps {_WORDS[name]} to itself.",
        where=where,
        found=f"still locked after {patience:g} s, as it seems by {holder}",
        expected="a process that lets go within seconds",
        do=f"look at it ({look}); if it hangs or was stopped, end it ({end}), and run this again",
    )
