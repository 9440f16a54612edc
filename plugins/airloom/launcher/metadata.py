"""Opens Airflow's own database. On SQLite, transactions that write take the write lock first, and wait for it.

Python's sqlite3 starts no transaction before a savepoint. Airflow creates each run of a backfill in one: first it
reads, then it writes, and when any other process has written in between, SQLite refuses at once, whatever the timeout.
Airflow then deletes the runs that it has already made visible, and a scheduler that was about to start one of them ends
with a StaleDataError. With the lock taken first, all runs of a backfill appear in one transaction, or none.

A thread waits for the lock as long as the URL's timeout says. The event loop of the API server never waits: its audit
entries are written by a thread (`airloom.launcher.audit_log`), and there is a connection for every request.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine


def create_metadata_engine(
    sql_alchemy_conn: str, *, engine_args: dict[str, Any], connect_args: dict[str, Any]
) -> Engine:
    """Create the engine of Airflow's metadata database; the signature is Airflow's.

    Args:
        sql_alchemy_conn: SQLAlchemy URL of the database.
        engine_args: Pool settings.
        connect_args: Arguments of the driver.
    """
    from sqlalchemy import create_engine, make_url

    if make_url(sql_alchemy_conn).get_backend_name() != "sqlite":
        return create_engine(sql_alchemy_conn, connect_args=connect_args, **engine_args)
    return _sqlite_engine(sql_alchemy_conn, engine_args, connect_args)


def _sqlite_engine(url: str, engine_args: dict[str, Any], connect_args: dict[str, Any]) -> Engine:
    from sqlalchemy import create_engine, event
    from sqlalchemy.orm import Session

    from airloom.launcher.audit_log import AuditLog

    if "max_overflow" in engine_args:
        # Requests that wait for the lock must not keep the one that holds it, or the event loop, from a connection.
        engine_args = {**engine_args, "max_overflow": -1}
    # A transaction that begins with a write begins with the lock.
    engine = create_engine(url, connect_args={**connect_args, "isolation_level": "IMMEDIATE"}, **engine_args)
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "savepoint", _take_write_lock)
    event.listen(Session, "before_commit", AuditLog(engine).take)
    return engine


def _prepare(connection: Any, _record: Any) -> None:
    # With a write-ahead log this risks the last moments after a power cut, never a corrupt file.
    connection.execute("PRAGMA synchronous = NORMAL")


def _take_write_lock(connection: Connection, _name: str) -> None:
    driver: Any = connection.connection.dbapi_connection
    if not driver.in_transaction:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
