import sqlite3
import threading
from contextlib import closing

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

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


def test_a_lock_that_is_never_released_is_an_error_after_the_timeout(file):
    engine = create_metadata_engine(f"sqlite:///{file}?timeout=0.1", engine_args={}, connect_args={})
    with closing(sqlite3.connect(file)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        with Session(engine) as session, pytest.raises(OperationalError, match="locked"), session.begin_nested():
            session.execute(text("SELECT count(*) FROM runs"))
    engine.dispose()
