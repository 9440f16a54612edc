"""How the ledger's tables are read and added to; nothing ever changes or removes a row."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airloom.core.failpoints import failpoint
from airloom.stores.ledger_schema import open_tables
from airloom.stores.state import in_utc

if TYPE_CHECKING:
    from sqlalchemy import Engine, Select, Table


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

    def _read(self, query: Select[tuple[object, ...]]) -> list[dict[str, Any]]:
        """Return rows without the name of their pipeline; reading takes no lock."""
        with self._engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
            rows = connection.execute(query).mappings().all()
        return [{name: in_utc(value) for name, value in row.items() if name != "pipeline"} for row in rows]

    def _add(self, unit: str, table: Table, **values: Any) -> bool:
        """Add a row; return False when there is one with its key already.

        Args:
            unit: What is done, as its failpoints call it.
            table: To which table.
            values: The row.
        """
        from sqlalchemy.exc import IntegrityError

        try:
            with self._engine.begin() as connection:
                connection.execute(table.insert().values(**values))
                failpoint(f"{unit}.before_commit")
        except IntegrityError:
            return False
        failpoint(f"{unit}.after_commit")
        return True
