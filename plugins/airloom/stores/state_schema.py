"""The schema of Airloom's own tables in the state database: which revision they have, and how they get the newest."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from airloom.core.errors import SetupError
from airloom.stores.database import is_sqlite, without_password
from airloom.stores.locks import ADVISORY
from airloom.stores.state import state_engine

if TYPE_CHECKING:
    from alembic.config import Config
    from sqlalchemy import Connection

#: The newest step in `migrations/versions`, and so the schema that this code works with.
REVISION = "0001"
#: Airloom's own: MLflow and Feast keep theirs in the same database.
VERSION_TABLE = "airloom_schema_version"

_MIGRATIONS = Path(__file__).parent / "migrations"
_LOCK = f"SELECT set_config('lock_timeout', '120s', true), pg_advisory_xact_lock({ADVISORY}, 0)"


@dataclass(frozen=True)
class Upgraded:
    """What an upgrade has found and left.

    Args:
        before: The revision that there was, None where there was none.
        after: The revision that there is.
    """

    before: str | None
    after: str


def upgrade_state(state_url: str) -> Upgraded:
    """Bring Airloom's tables to the newest revision, in one transaction; other tables are left alone.

    Tables from before there were revisions are taken over as they are. Several processes may do so at once.

    Args:
        state_url: SQLAlchemy URL of the state database.

    Raises:
        SetupError: The database cannot be reached or changed, or a newer code has upgraded it.
    """
    from sqlalchemy.exc import DBAPIError

    if (found := found_revision(state_url)) == REVISION:
        return Upgraded(found, found)
    _require_known(state_url, found)
    try:
        with state_engine(state_url).begin() as connection:
            return Upgraded(_migrate(connection, state_url), REVISION)
    except DBAPIError as error:
        raise SetupError(
            "Airloom's tables could not be upgraded; nothing of them was changed.",
            where=without_password(state_url),
            found=str(error.orig).partition("\n")[0],
            expected="a database user who may create tables, and nobody else who upgrades for minutes",
        ) from error


def require_schema(state_url: str) -> None:
    """Make sure that Airloom's tables are what this code works with.

    Raises:
        SetupError: They are older, newer or missing.
    """
    found = found_revision(state_url)
    if found == REVISION:
        return
    _require_known(state_url, found)
    raise SetupError(
        "The state database is older than this code.",
        where=without_password(state_url),
        found=f"revision {found}" if found else "no tables of Airloom, or some from before they had revisions",
        expected=f"revision {REVISION}",
        do="run: airloom upgrade",
    )


def found_revision(state_url: str) -> str | None:
    """Return the revision of Airloom's tables, None where there is none; reading takes no lock."""
    with state_engine(state_url).execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        return _revision(connection)


def _revision(connection: Connection) -> str | None:
    from sqlalchemy import column, inspect, select, table

    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    return connection.scalar(select(column("version_num")).select_from(table(VERSION_TABLE)))


def _migrate(connection: Connection, state_url: str) -> str | None:
    """Do what is left to do, and return the revision before; SQLite's transactions exclude each other anyway."""
    from alembic.command import upgrade

    if not is_sqlite(state_url):
        connection.exec_driver_sql(_LOCK)
    before = _revision(connection)
    _require_known(state_url, before)
    if before != REVISION:
        configuration = _configuration()
        configuration.attributes["connection"] = connection
        upgrade(configuration, REVISION)
    return before


def _require_known(state_url: str, found: str | None) -> None:
    """Refuse a revision of which this code knows nothing."""
    from alembic.script import ScriptDirectory

    steps = ScriptDirectory.from_config(_configuration()).walk_revisions()
    if found is None or found in {step.revision for step in steps}:
        return
    raise SetupError(
        "The state database is newer than this code.",
        where=without_password(state_url),
        found=f"revision {found}",
        expected=f"revision {REVISION} at the most",
        do="upgrade this code to the version that has upgraded the database",
    )


def _configuration() -> Config:
    """Return Alembic's configuration, for which no file is needed."""
    from alembic.config import Config

    configuration = Config()
    # A percent sign would be taken for the name of another option.
    configuration.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    return configuration
