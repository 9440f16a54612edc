"""Runs the steps in the transaction that `upgrade_state` hands over; Alembic loads this file."""

from __future__ import annotations

from alembic import context

from airloom.stores.ledger_schema import schema
from airloom.stores.state_schema import VERSION_TABLE

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=schema().metadata,
    version_table=VERSION_TABLE,
    transactional_ddl=True,
)
context.run_migrations()
