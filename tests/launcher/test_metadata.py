import asyncio
import sqlite3
import threading
import time
from contextlib import closing

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from airloom.launcher.metadata import create_metadata_engine


@pytest.fixture
def file(tmp_path):
    with closing(sqlite3.connect(tmp_path / "airflow.db")) as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("CREATE TABLE runs (id INTEGER)")
    return tmp_path / "airflow.db"


@pytest.fixture
def engine(file):
    engine = create_metadata_engine(f"sqlite:///{file}?timeout=5", engine_args={}, connect_args={})
    yield engine
    engine.dispose()


def count(file):
    with closing(sqlite3.connect(file)) as database:
        return database.execute("SELECT count(*) FROM runs").fetchone()[0]


def write_elsewhere(file, **options):
    with closing(sqlite3.connect(file, **options)) as database:
        database.execute("INSERT INTO runs VALUES (99)")
        database.commit()


def test_savepoints_become_visible_with_their_transaction_and_not_before(engine, file):
    with Session(engine) as session:
        for run in (1, 2):
            with session.begin_nested():
                session.execute(text("INSERT INTO runs VALUES (:run)"), {"run": run})
            assert count(file) == 0
        session.commit()
    assert count(file) == 2


def test_a_savepoint_that_reads_before_it_writes_waits_for_another_writer(engine, file):
    """Without the lock the write fails at once with "database is locked", whatever the timeout."""
    writer = threading.Thread(target=write_elsewhere, args=(file,), kwargs={"timeout": 10})
    with Session(engine) as session, session.begin_nested():
        assert session.execute(text("SELECT count(*) FROM runs")).scalar() == 0
        writer.start()
        writer.join(0.3)
        session.execute(text("INSERT INTO runs VALUES (1)"))
        session.commit()
    writer.join()
    assert count(file) == 2


def test_another_writer_is_not_let_in_between(engine, file):
    with Session(engine) as session, session.begin_nested():
        session.execute(text("SELECT count(*) FROM runs"))
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            write_elsewhere(file, timeout=0)
        session.rollback()


def test_a_savepoint_inside_a_transaction_begins_no_second_one(engine, file):
    with Session(engine) as session:
        session.execute(text("INSERT INTO runs VALUES (1)"))
        with session.begin_nested():
            session.execute(text("INSERT INTO runs VALUES (2)"))
        session.rollback()
    assert count(file) == 0


def test_a_transaction_begins_with_the_lock_when_it_begins_with_a_write(engine, file):
    with Session(engine) as session:
        assert session.execute(text("SELECT count(*) FROM runs")).scalar() == 0
        write_elsewhere(file)
        statements = []
        session.connection().connection.dbapi_connection.set_trace_callback(statements.append)
        session.execute(text("INSERT INTO runs VALUES (1)"))
        session.commit()
    assert statements[0].strip() == "BEGIN IMMEDIATE"
    assert count(file) == 2


def test_there_is_a_connection_for_every_request_that_waits(file):
    pool = {"pool_size": 1, "max_overflow": 0}
    engine = create_metadata_engine(f"sqlite:///{file}", engine_args=pool, connect_args={})
    with engine.connect(), engine.connect(), engine.connect() as third:
        assert third.execute(text("SELECT count(*) FROM runs")).scalar() == 0
    engine.dispose()


class Base(DeclarativeBase):
    """The tables of this test."""


class Run(Base):
    __tablename__ = "runs"
    id: Mapped[int] = mapped_column(primary_key=True)


def eventually(file, rows):
    deadline = time.monotonic() + 600
    while count(file) != rows:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_commit_in_an_event_loop_does_not_wait_for_another_writer(engine, file):
    """Whoever holds the lock needs the event loop to end, as a request of the API server does."""

    async def audit_then_release():
        with Session(engine) as session:
            session.add(Run(id=1))
            session.commit()
        holder.rollback()

    with closing(sqlite3.connect(file)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        began = time.monotonic()
        asyncio.run(audit_then_release())
        assert time.monotonic() - began < 2
    eventually(file, 1)


def test_what_follows_in_the_session_of_an_event_loop_is_written_by_its_own_commit(engine, file):
    async def request():
        with Session(engine) as session:
            session.add(Run(id=1))
            session.commit()
            await asyncio.to_thread(session.add, Run(id=2))
            await asyncio.to_thread(session.commit)
            assert count(file) >= 1

    asyncio.run(request())
    eventually(file, 2)


def test_rows_of_another_database_are_written_in_the_event_loop_as_ever(engine, file):
    other = create_engine(f"sqlite:///{file}")

    async def write():
        with Session(other) as session:
            session.add(Run(id=1))
            session.commit()
        assert count(file) == 1

    asyncio.run(write())
    other.dispose()


def test_a_row_that_cannot_be_written_is_logged(file, caplog):
    engine = create_metadata_engine(f"sqlite:///{file}?timeout=0.1", engine_args={}, connect_args={})

    async def write():
        with Session(engine) as session:
            session.add(Run(id=1))
            session.commit()

    with closing(sqlite3.connect(file)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        asyncio.run(write())
        deadline = time.monotonic() + 600
        while "An audit entry was not written" not in caplog.text:
            assert time.monotonic() < deadline
            time.sleep(0.02)
    engine.dispose()


def test_a_lock_that_is_never_released_is_an_error_after_the_timeout(file):
    engine = create_metadata_engine(f"sqlite:///{file}?timeout=0.1", engine_args={}, connect_args={})
    with closing(sqlite3.connect(file)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        with Session(engine) as session, pytest.raises(OperationalError, match="locked"), session.begin_nested():
            session.execute(text("SELECT count(*) FROM runs"))
    engine.dispose()
