"""Opens Airflow's own database. On SQLite a savepoint then takes the write lock first, and waits for it.

Python's sqlite3 starts no transaction before a savepoint. Airflow creates each run of a backfill in one: first it
reads, then it writes, and when any other process has written in between, SQLite refuses at once, whatever the timeout.
Airflow then deletes the runs that it has already made visible, and a scheduler that was about to start one of them ends
with a StaleDataError. With the lock taken first, all runs of a backfill appear in one transaction, or none.
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
    from sqlalchemy import create_engine, event

    engine = create_engine(sql_alchemy_conn, connect_args=connect_args, **engine_args)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare)
        event.listen(engine, "savepoint", _take_write_lock)
    return engine


def _prepare(connection: Any, _record: Any) -> None:
    # With a write-ahead log this risks the last moments after a power cut, never a corrupt file.
    connection.execute("PRAGMA synchronous = NORMAL")


def _take_write_lock(connection: Connection, _name: str) -> None:
    driver: Any = connection.connection.dbapi_connection
    if not driver.in_transaction:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
