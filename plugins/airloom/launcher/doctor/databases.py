"""Whether the state database and Airflow's own are there, and have the tables that this code works with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from airloom.core.errors import AirloomError, SetupError
from airloom.launcher.doctor.clocks import judge_clock
from airloom.launcher.doctor.findings import Finding, ok
from airloom.launcher.doctor.subject import Subject
from airloom.launcher.doctor.writing import STATE_DATABASE, STATE_URL, refusals, require_writable
from airloom.stores.database import is_sqlite, open_database, without_password
from airloom.stores.state import in_utc, state_engine
from airloom.stores.state_schema import REVISION, require_schema

if TYPE_CHECKING:
    from sqlalchemy import Engine

_AIRFLOW = "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"
_NAME = "Airflow's database"
#: Rows that are never committed: of the ledger, and among Airflow's variables.
_PIN = (
    "INSERT INTO airloom_pins (pipeline, number, pinned, actor, reason, decided_at) "
    "VALUES ('.airloom-doctor', 0, true, 'doctor', 'probe', CURRENT_TIMESTAMP)"
)
_VARIABLE = "INSERT INTO variable (id, key, val, is_encrypted) VALUES (-1, '.airloom-doctor', 'probe', false)"


def state_database(subject: Subject) -> Iterator[Finding]:
    """Read the revision of the state database and its clock, and write to it."""
    url = subject.settings.state_url
    _require_file(url, STATE_DATABASE, subject.repair)
    with refusals(url, STATE_DATABASE, STATE_URL):
        require_schema(url)
    require_writable(url, STATE_DATABASE, STATE_URL, _PIN)
    yield ok("state database", f"{without_password(url)} answers and can be written, revision {REVISION}")
    if not is_sqlite(url):
        before, there = datetime.now(UTC), _now(state_engine(url))
        yield judge_clock("clock of the state database", before, there, datetime.now(UTC))


def airflow_database(subject: Subject) -> Iterator[Finding]:
    """Compare the revision of Airflow's database with that of the installed Airflow, and write to it."""
    from airflow.configuration import conf

    url, executor = str(conf.get("database", "sql_alchemy_conn")), str(conf.get("core", "executor"))
    if is_sqlite(url) and "Celery" in executor:
        raise SetupError(
            "Workers on other machines cannot use a database that is a file.",
            where=_AIRFLOW,
            found=f"SQLite with {executor}",
            expected="postgresql+psycopg://user@host/database",
            do=f"name a PostgreSQL database in {_AIRFLOW}, then run: airloom upgrade",
        )
    _require_file(url, _NAME, subject.repair)
    with refusals(url, _NAME, _AIRFLOW):
        _require_migrated(url, subject.repair)
    require_writable(url, _NAME, _AIRFLOW, _VARIABLE)
    yield ok("Airflow's database", f"{without_password(url)} answers, is migrated and can be written; {executor}")


def told_by_its_own_check() -> AbstractContextManager[None]:
    """Leave it to the check of the state database to tell that it cannot be read."""
    from sqlalchemy.exc import DBAPIError

    return suppress(AirloomError, DBAPIError)


def _require_file(url: str, name: str, repair: str) -> None:
    """Refuse a SQLite file that is not there: opening it would make an empty one."""
    from sqlalchemy import make_url

    if not is_sqlite(url):
        return
    file = make_url(url).database
    if file and not Path(file).is_file():
        raise SetupError(f"{name} is not there yet.", where=file, do=f"run: {repair}")


def _require_migrated(url: str, repair: str) -> None:
    import airflow
    from alembic.script import ScriptDirectory

    scripts = ScriptDirectory(str(Path(airflow.__file__).parent / "migrations"))
    found, wanted = _revisions(open_database(url, _NAME, _AIRFLOW)), set(scripts.get_heads())
    if found != wanted:
        raise SetupError(
            f"Airflow's database is not what Airflow {airflow.__version__} works with.",
            where=without_password(url),
            found=f"revision {', '.join(found)}" if found else "no tables of Airflow",
            expected=f"revision {', '.join(wanted)}",
            do=f"run: {repair}",
        )


def _revisions(engine: Engine) -> set[str]:
    from sqlalchemy import column, inspect, select, table

    # Reading takes no lock.
    with engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return set()
        return set(connection.scalars(select(column("version_num")).select_from(table("alembic_version"))))


def _now(engine: Engine) -> datetime:
    from sqlalchemy import func, select

    with engine.connect() as connection:
        now: datetime = in_utc(connection.scalar(select(func.clock_timestamp())))
        return now
