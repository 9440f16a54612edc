"""The tables of the ledger. One row per pipeline and epoch, unique in the database: that is the compare-and-set."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from airloom.stores.database import is_sqlite
from airloom.stores.state import state_engine
from airloom.stores.state_schema import require_schema, upgrade_state

if TYPE_CHECKING:
    from sqlalchemy import Engine, MetaData, Table


@dataclass(frozen=True)
class Schema:
    """The ledger's tables."""

    metadata: MetaData
    champions: Table
    verdicts: Table
    pins: Table
    notes: Table


@cache
def schema() -> Schema:
    """Describe the tables, once a process."""
    from sqlalchemy import Boolean, Column, Date, DateTime, Integer, MetaData, String, Table, Text

    metadata = MetaData()
    champions = Table(
        "airloom_champions",
        metadata,
        Column("pipeline", String(100), primary_key=True),
        Column("epoch", Integer, primary_key=True, autoincrement=False),
        Column("effective_from", Date, nullable=False),
        Column("version", Integer, nullable=False),
        Column("verdict", String(16)),
        Column("actor", String(200), nullable=False),
        Column("reason", Text, nullable=False),
        Column("decided_at", DateTime(timezone=True), nullable=False),
    )
    verdicts = Table(
        "airloom_verdicts",
        metadata,
        Column("id", String(16), primary_key=True),
        Column("pipeline", String(100), nullable=False, index=True),
        Column("partition", Date, nullable=False),
        Column("outcome", String(20), nullable=False),
        Column("body", Text, nullable=False),
        Column("decided_at", DateTime(timezone=True), nullable=False),
    )
    pins = Table(
        "airloom_pins",
        metadata,
        Column("pipeline", String(100), primary_key=True),
        Column("number", Integer, primary_key=True, autoincrement=False),
        Column("pinned", Boolean, nullable=False),
        Column("actor", String(200), nullable=False),
        Column("reason", Text, nullable=False),
        Column("decided_at", DateTime(timezone=True), nullable=False),
    )
    notes = Table(
        "airloom_night_notes",
        metadata,
        Column("pipeline", String(100), primary_key=True),
        Column("kind", String(20), primary_key=True),
        Column("partition", Date, primary_key=True),
        Column("subject", String(100), primary_key=True),
        Column("number", Integer, primary_key=True, autoincrement=False),
        Column("actor", String(200), nullable=False),
        Column("reason", Text, nullable=False),
        Column("decided_at", DateTime(timezone=True), nullable=False),
    )
    return Schema(metadata, champions, verdicts, pins, notes)


@cache
def open_tables(state_url: str) -> Engine:
    """Connect to the state database, whose tables are looked at once a process.

    A file of this machine is upgraded at once. A server is shared with others: when it may be upgraded, people decide.

    Raises:
        SetupError: The database cannot be reached, or its tables are not what this code works with.
    """
    if is_sqlite(state_url):
        upgrade_state(state_url)
    else:
        require_schema(state_url)
    return state_engine(state_url)
