"""Champions, verdicts, pins and notes, unless the database has them from before there were revisions."""

from __future__ import annotations

from alembic import op
from sqlalchemy import Boolean, Column, Date, DateTime, Integer, String, Text

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Add the tables that are missing."""
    op.create_table(
        "airloom_champions",
        Column("pipeline", String(100), primary_key=True),
        Column("epoch", Integer, primary_key=True, autoincrement=False),
        Column("effective_from", Date, nullable=False),
        Column("version", Integer, nullable=False),
        Column("verdict", String(16)),
        *_who_and_why(),
        if_not_exists=True,
    )
    op.create_table(
        "airloom_verdicts",
        Column("id", String(16), primary_key=True),
        Column("pipeline", String(100), nullable=False),
        Column("partition", Date, nullable=False),
        Column("outcome", String(20), nullable=False),
        Column("body", Text, nullable=False),
        Column("decided_at", DateTime(timezone=True), nullable=False),
        if_not_exists=True,
    )
    op.create_index("ix_airloom_verdicts_pipeline", "airloom_verdicts", ["pipeline"], if_not_exists=True)
    op.create_table(
        "airloom_pins",
        Column("pipeline", String(100), primary_key=True),
        Column("number", Integer, primary_key=True, autoincrement=False),
        Column("pinned", Boolean, nullable=False),
        *_who_and_why(),
        if_not_exists=True,
    )
    op.create_table(
        "airloom_night_notes",
        Column("pipeline", String(100), primary_key=True),
        Column("kind", String(20), primary_key=True),
        Column("partition", Date, primary_key=True),
        Column("subject", String(100), primary_key=True),
        Column("number", Integer, primary_key=True, autoincrement=False),
        *_who_and_why(),
        if_not_exists=True,
    )


def _who_and_why() -> tuple[Column[str], Column[str], Column[object]]:
    return (
        Column("actor", String(200), nullable=False),
        Column("reason", Text, nullable=False),
        Column("decided_at", DateTime(timezone=True), nullable=False),
    )
