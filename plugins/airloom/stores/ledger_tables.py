"""How the ledger's tables are read and added to; nothing ever changes or removes a row."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airloom.core.failpoints import failpoint
from airloom.stores.database import is_absent, is_sqlite
from airloom.stores.ledger_schema import open_tables
from airloom.stores.state import in_utc

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine, Select, Table

#: What waited for the lock must see what was committed meanwhile, whatever the database does by default.
_ISOLATION = "SET TRANSACTION ISOLATION LEVEL READ COMMITTED"
_LOCK = """
SELECT set_config('lock_timeout', '120s', true),
       pg_advisory_xact_lock(hashtextextended('airloom.champion.' || :pipeline, 0))
"""


@dataclass(frozen=True)
class LedgerTables:
    """The ledger's tables in one state database, for every pipeline.

    Args:
        state_url: SQLAlchemy URL of the state database.
    """

    state_url: str

    @cached_property
    def _engine(self) -> Engine:
        return open_tables(self.state_url)

    def _read(self, query: Select[tuple[object, ...]], within: Connection | None = None) -> list[dict[str, Any]]:
        """Return rows without the name of their pipeline, as a transaction sees them; without one no lock is taken.

        Reading makes nothing: a file that is not there has no rows.
        """
        if within is None:
            if is_absent(self.state_url):
                return []
            with self._engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
                return self._read(query, connection)
        rows = within.execute(query).mappings().all()
        return [{name: in_utc(value) for name, value in row.items() if name != "pipeline"} for row in rows]

    def _add(
        self, unit: str, table: Table, condition: Callable[[Connection], None] | None = None, **values: Any
    ) -> bool:
        """Add a row; return False when there is one with its key already.

        Args:
            unit: What is done, as its failpoints call it.
            table: To which table.
            condition: Raises unless the row may be added. Rows of a pipeline that have one are added one by one, so
                that it still holds at the commit.
            values: The row.
        """
        from sqlalchemy.exc import IntegrityError

        try:
            with self._engine.begin() as connection:
                if condition is not None:
                    self._exclude_others(connection, values["pipeline"])
                    condition(connection)
                connection.execute(table.insert().values(**values))
                failpoint(f"{unit}.before_commit")
        except IntegrityError:
            return False
        failpoint(f"{unit}.after_commit")
        return True

    def _exclude_others(self, connection: Connection, pipeline: str) -> None:
        """Wait for other transactions with a condition; of those that write to SQLite there is one at a time anyway."""
        from sqlalchemy import text

        if not is_sqlite(self.state_url):
            connection.exec_driver_sql(_ISOLATION)
            connection.execute(text(_LOCK), {"pipeline": pipeline})
