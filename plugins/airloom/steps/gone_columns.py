"""Columns that a source no longer returns: null in the lake from then on, and refused where something needs them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from airloom.core.errors import DataError, DeclarationError
from airloom.core.pipeline import EXAMPLES, Pipeline
from airloom.core.settings import Settings
from airloom.steps.feature_query import query_engine, run_query
from airloom.stores.lake import Lake

if TYPE_CHECKING:
    import pyarrow as pa


def require_used_columns(
    pipeline: Pipeline, settings: Settings, lake: Lake, table: str, day: date, columns: Collection[str]
) -> None:
    """Make sure that no column is gone that a view, the label or the models read.

    Args:
        pipeline: The declaration.
        settings: Where the SQL is.
        lake: The tables.
        table: A raw table.
        day: The day that is looked at.
        columns: The columns that the table has on this day.

    Raises:
        DataError: One is gone; it names the column and everything that needs it.
    """
    gone = [name for name in lake.schema(f"raw.{table}").names if name not in columns]
    for column in gone:
        if users := list(_users(pipeline, settings, lake, table, column)):
            raise DataError(
                "A column is gone that is needed.",
                where=f"table {table}, column {column}",
                found=f"no such column on {day}",
                expected=f"{column}, which {' and '.join(users)} need{'s' if len(users) == 1 else ''}",
                do="bring it back in the source, or change what reads it; a column that nothing reads may go",
            )


def require_used_columns_in_newest(pipeline: Pipeline, settings: Settings) -> None:
    """Make sure that the newest published day of every raw table has the columns that are read.

    Raises:
        DataError: One is gone.
    """
    lake = Lake(settings.lake / pipeline.name)
    for table in pipeline.tables:
        with_rows = {day: types for day, types in lake.own_types(f"raw.{table}").items() if types}
        if with_rows:
            day = max(with_rows)
            require_used_columns(pipeline, settings, lake, table, day, with_rows[day])


def _users(pipeline: Pipeline, settings: Settings, lake: Lake, table: str, column: str) -> Iterator[str]:
    """Yield what needs a column of a raw table, in words."""
    for name, view in pipeline.features.views.items():
        if table in view.reads and _reads(pipeline, settings, lake, view.sql, view.reads, (table, column)):
            yield f"the feature view {name}"
    label = pipeline.label
    reads = (*(label.reads or ()), EXAMPLES)
    if label.sql and _reads(pipeline, settings, lake, label.sql, reads, (table, column)):
        yield "the query of the label"
    if table == pipeline.label.table and column in (label.column, *pipeline.label_key):
        yield "the label"
    if table == pipeline.score.entities and column in (
        *pipeline.train.inputs.categorical,
        *pipeline.train.inputs.numeric,
    ):
        yield "train.inputs"


def _reads(
    pipeline: Pipeline, settings: Settings, lake: Lake, sql: object, tables: Collection[str], without: tuple[str, str]
) -> bool:
    """Tell whether a query runs over its tables as the lake has them, and does not without one of their columns."""
    query = (settings.include / pipeline.name / str(sql)).read_text(encoding="utf-8")
    schemas = {name: lake.schema(f"raw.{pipeline.score.entities if name == EXAMPLES else name}") for name in tables}
    if not all(schemas.values()):
        return False
    table, column = without
    of_table = {name for name in tables if name == table or (name == EXAMPLES and table == pipeline.score.entities)}
    less = {
        name: schema.remove(schema.get_field_index(column)) if name in of_table else schema
        for name, schema in schemas.items()
    }
    return _runs(pipeline, query, schemas) and not _runs(pipeline, query, less)


def _runs(pipeline: Pipeline, sql: str, schemas: Mapping[str, pa.Schema]) -> bool:
    moment = datetime(1970, 1, 1, tzinfo=UTC)
    with query_engine(pipeline.schedule.timezone) as engine:
        tables = {name: schema.empty_table() for name, schema in schemas.items()}
        try:
            run_query(engine, "a query", sql, "", tables, {"as_of": moment, "until": moment})
        except DeclarationError:
            return False
    return True
