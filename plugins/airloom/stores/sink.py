"""The sink: a SQL table in which people and programs find the predictions that the lake has.

A new table has the prefix in every column of ours. One of an earlier version keeps its names until it is renamed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airloom.core.errors import DataError, SetupError, Unavailable
from airloom.core.failpoints import failpoint
from airloom.core.failures import words
from airloom.core.pipeline import Pipeline
from airloom.core.reserved import PREFIX
from airloom.core.settings import Settings
from airloom.stores.content import NO_ROWS
from airloom.stores.database import is_sqlite, open_database, without_password
from airloom.stores.locks import ADVISORY
from airloom.stores.partition_columns import INPUTS, PARTITION, QUALITY, VERSION, read_rows
from airloom.stores.prediction_columns import has_prefix, renamed, with_prefix, without_prefix

if TYPE_CHECKING:
    import pyarrow as pa
    from sqlalchemy import Column, Connection, Engine, Table, TableClause
    from sqlalchemy.types import TypeEngine

    from airloom.stores.lake import Lake, PartitionVersion

PIPELINE = f"{PREFIX}pipeline"
#: Columns by which a table shows what it has.
_FACTS = (PIPELINE, PARTITION, VERSION, QUALITY)
#: One writer a table at a time: it may have to be made, and whoever comes later must find newer predictions.
_LOCK = f"SELECT set_config('lock_timeout', '120s', true), pg_advisory_xact_lock({ADVISORY + 1}, hashtext(%(table)s))"


def open_sink(pipeline: Pipeline, settings: Settings) -> Sink | None:
    """Return the table that a pipeline's predictions are copied to, None where it declares none.

    Raises:
        SetupError: It declares one, and nothing says in which database.
    """
    if pipeline.score.sink is None:
        return None
    if not settings.predictions_url:
        raise SetupError(
            f"{pipeline.name} copies its predictions to a table, and no database is named for it.",
            where="score.sink in pipeline.yaml",
            found="AIRLOOM_PREDICTIONS_URL is not set",
            expected="postgresql+psycopg://user@host/database or sqlite:///file",
            do="set AIRLOOM_PREDICTIONS_URL, or declare no sink",
        )
    scored = pipeline.tables[pipeline.score.entities]
    return Sink(settings.predictions_url, pipeline.score.sink.table, pipeline.name, scored.key, (scored.time,))


@dataclass(frozen=True)
class Sink:
    """A table with the predictions of a pipeline, perhaps of several with the same key.

    Args:
        url: SQLAlchemy URL of the database.
        name: Name of the table, which is made when it is missing.
        pipeline: Name of the pipeline.
        key: What identifies a row of a partition.
        others: Columns of the user's besides.
    """

    url: str
    name: str
    pipeline: str
    key: tuple[str, ...]
    others: tuple[str, ...] = ()

    def follow(self, lake: Lake, table: str) -> list[date]:
        """Copy the partitions that the sink has not, or in another version or quality, each in one transaction.

        Args:
            lake: The pipeline's lake.
            table: The lake's table.

        Returns:
            The days that were copied.

        Raises:
            SetupError: The table cannot be written to, or is somebody else's.
            Unavailable: The database cannot be reached, or stops answering.
            DataError: The lake has columns that no SQL table can have.
        """
        with self._refusals(
            f"The predictions of {self.pipeline} are in the lake and could not be copied to the table {self.name}.",
            expected="a table that takes them, and a user who may write to it",
            do="run the task again afterwards: it copies what is missing",
        ):
            with self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                kept = self._versions(connection)
            there = lake.partitions(table).items()
            differing = [day for day, each in there if kept.get(day) != _kept_as(each)]
            return [day for day in differing if self._copy(lake, table, day)]

    def remove(self, day: date) -> None:
        """Remove a day that was taken back; nothing happens where it is not there.

        Raises:
            SetupError: The table cannot be written to.
            Unavailable: The database cannot be reached, or stops answering.
        """
        with (
            self._refusals(
                f"The predictions of {self.pipeline} of {day} could not be removed from the table {self.name}.",
                expected="a user who may delete from it",
                do="take the day back again afterwards: what is left to do is done then",
            ),
            self._engine.begin() as connection,
        ):
            if not is_sqlite(self.url):
                connection.exec_driver_sql(_LOCK, {"table": self.name})
            there = self._facts(connection)
            if there is not None and self._versions(connection, day):
                pipeline, partition, *_ = there.c
                connection.execute(there.delete().where((pipeline == self.pipeline) & (partition == day)))
            failpoint("sink.before_removal")
        failpoint("sink.after_removal")

    def rename(self) -> bool:
        """Give every column of ours in a table of an earlier version the prefix, in one transaction.

        Returns:
            Whether there was one to rename.

        Raises:
            SetupError: The table cannot be altered.
            Unavailable: The database cannot be reached, or stops answering.
        """
        from alembic.migration import MigrationContext
        from alembic.operations import Operations

        with (
            self._refusals(
                f"The columns of the table {self.name} could not be renamed.",
                expected="a user who owns it",
                do="run the command again afterwards: what is left to do is done then",
            ),
            self._engine.begin() as connection,
        ):
            if not is_sqlite(self.url):
                connection.exec_driver_sql(_LOCK, {"table": self.name})
            names = self._columns(connection)
            if not _is_older(names) or self._facts(connection) is None:
                return False
            ours = {_without(name): name for name in _FACTS} | with_prefix(names, (*self.key, *self.others))
            operations = Operations(MigrationContext.configure(connection))
            for old, new in ours.items():
                operations.alter_column(self.name, old, new_column_name=new)
            failpoint("sink.before_rename")
        failpoint("sink.after_rename")
        return True

    @contextmanager
    def _refusals(self, what: str, expected: str, do: str) -> Iterator[None]:
        """Raise what the database refuses in words, and as what may be tried again where it does not answer."""
        from sqlalchemy.exc import DBAPIError, OperationalError

        try:
            yield
        except DBAPIError as error:
            kind = Unavailable if isinstance(error, OperationalError) else SetupError
            where, found = without_password(self.url), words(error.orig)
            raise kind(what, where=where, found=found, expected=expected, do=do) from error

    @cached_property
    def _engine(self) -> Engine:
        return open_database(self.url, "The database for predictions", "AIRLOOM_PREDICTIONS_URL")

    def _columns(self, connection: Connection) -> list[str]:
        """Return the columns that the table has; none where there is no table."""
        from sqlalchemy import inspect

        inspector = inspect(connection)
        there = inspector.get_columns(self.name) if inspector.has_table(self.name) else []
        return [str(each["name"]) for each in there]

    def _facts(self, connection: Connection) -> TableClause | None:
        """Describe the table by the columns of `_FACTS`, as it calls them; None where it does not have them."""
        from sqlalchemy import Date, column, table

        names = self._columns(connection)
        pipeline, partition, *others = (_without(name) if _is_older(names) else name for name in _FACTS)
        if not {pipeline, partition, *others}.issubset(names):
            return None
        return table(self.name, column(pipeline), column(partition, Date), *map(column, others))

    def _versions(self, connection: Connection, day: date | None = None) -> dict[date, tuple[str, str]]:
        """Return the versions that are there and their quality, by day; a table of somebody else has none."""
        from sqlalchemy import select

        there = self._facts(connection)
        if there is None:
            return {}
        pipeline, partition, version, quality = there.c
        query = select(partition, version, quality).distinct().where(pipeline == self.pipeline)
        if day is not None:
            query = query.where(partition == day)
        return {found: (kept, kept_quality) for found, kept, kept_quality in connection.execute(query)}

    def _copy(self, lake: Lake, table: str, day: date) -> bool:
        """Replace a day by what the lake has of it now, whoever has put it there; return whether it was another."""
        with self._engine.begin() as connection:
            if not is_sqlite(self.url):
                connection.exec_driver_sql(_LOCK, {"table": self.name})
            rows, kept = self._rows(lake, table, day), self._versions(connection, day).get(day)
            if kept == ((rows[VERSION][0].as_py(), rows[QUALITY][0].as_py()) if rows.num_rows else None):
                return False
            older = _is_older(self._columns(connection))
            called = without_prefix([PIPELINE, *rows.column_names], f"table {self.name}") if older else {}
            rows = renamed(rows, called)
            pipeline, partition = (called.get(name, name) for name in (PIPELINE, PARTITION))
            target = self._table(connection, rows.schema, pipeline, partition)
            mine = (target.c[pipeline] == self.pipeline) & (target.c[partition] == day)
            connection.execute(target.delete().where(mine))
            facts = {pipeline: self.pipeline, partition: day}
            if rows.num_rows:
                connection.execute(target.insert(), [{**_in_utc(row), **facts} for row in rows.to_pylist()])
            failpoint("sink.before_commit")
        failpoint("sink.after_commit")
        return True

    def _rows(self, lake: Lake, table: str, day: date) -> pa.Table:
        """Read a day as one commit has left it, with its version in every row and the prefix in columns of ours."""
        dataset = lake.dataset(table, [day])
        if dataset is None:
            raise DataError(f"The lake has no table {table}.", where=str(lake.path(table)))
        rows = read_rows(dataset).drop_columns([INPUTS])
        if has_prefix(dataset.schema.names):
            return rows
        return renamed(rows, with_prefix(rows.column_names, (*self.key, *self.others)))

    def _table(self, connection: Connection, schema: pa.Schema, pipeline: str, partition: str) -> Table:
        """Describe the table, and make it or add columns where these are missing."""
        from sqlalchemy import Column, Date, MetaData, Table, Text, inspect

        others = [field for field in schema if field.name not in (pipeline, partition)]
        ordered = sorted(others, key=lambda field: field.name not in self.key)
        columns: list[Column[Any]] = [
            Column(pipeline, Text, primary_key=True),
            Column(partition, Date, primary_key=True),
            *(Column(field.name, _sql_type(field), primary_key=field.name in self.key) for field in ordered),
        ]
        _require_short(columns, connection.dialect.max_identifier_length)
        target = Table(self.name, MetaData(), *columns)
        if not inspect(connection).has_table(self.name):
            target.create(connection)
        self._require_mine(connection, target)
        self._add_missing(connection, target)
        return target

    def _require_mine(self, connection: Connection, target: Table) -> None:
        from sqlalchemy import inspect

        found = inspect(connection).get_pk_constraint(self.name)["constrained_columns"]
        expected = [column.name for column in target.primary_key]
        if sorted(found) != sorted(expected):
            raise SetupError(
                f"The table {self.name} is not one that holds predictions of {self.pipeline}.",
                where=without_password(self.url),
                found=f"a primary key of {', '.join(found) or 'nothing'}",
                expected=f"a primary key of {', '.join(expected)}",
                do="name another table in score.sink, or drop this one if nobody needs it",
            )

    def _add_missing(self, connection: Connection, target: Table) -> None:
        """Add columns that predictions have got since, such as those of today's champion."""
        from alembic.migration import MigrationContext
        from alembic.operations import Operations
        from sqlalchemy import Column, inspect

        there = {column["name"] for column in inspect(connection).get_columns(self.name)}
        missing = [column for column in target.columns if column.name not in there]
        operations = Operations(MigrationContext.configure(connection))
        for column in missing:
            operations.add_column(self.name, Column(column.name, column.type))


def _require_short(columns: Sequence[Column[Any]], most: int) -> None:
    """PostgreSQL would cut a longer name, perhaps to that of another column, and not find it again."""
    for column in columns:
        if len(column.name.encode()) > most:
            raise DataError(
                "A column of the predictions has a name that is too long for a SQL table.",
                where=column.name,
                found=f"{len(column.name.encode())} bytes",
                expected=f"at most {most}",
                do="give the class or the column a shorter name, or declare no score.sink",
            )


def _kept_as(published: PartitionVersion) -> tuple[str, str] | None:
    """Return how the SQL table shows which version it has of a day: by its rows, and so not at all without any."""
    return None if published.version == NO_ROWS else (published.version, published.quality)


def _is_older(names: Collection[str]) -> bool:
    """Tell whether a table was made by a version whose columns had no prefix."""
    return PARTITION not in names and _without(PARTITION) in names


def _without(name: str) -> str:
    return name.removeprefix(PREFIX)


def _in_utc(row: dict[str, Any]) -> dict[str, Any]:
    """SQLite keeps no time zone: moments are kept in UTC."""
    return {
        name: value.astimezone(UTC) if isinstance(value, datetime) and value.tzinfo else value
        for name, value in row.items()
    }


def _sql_type(field: pa.Field) -> TypeEngine[Any]:
    import pyarrow as pa
    from sqlalchemy import BigInteger, Boolean, Date, DateTime, Double, Text

    kind = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
    known: list[tuple[Any, TypeEngine[Any]]] = [
        (pa.types.is_boolean, Boolean()),
        (pa.types.is_integer, BigInteger()),
        (pa.types.is_floating, Double()),
        (pa.types.is_date, Date()),
        (pa.types.is_string, Text()),
        (pa.types.is_large_string, Text()),
    ]
    if pa.types.is_timestamp(kind):
        return DateTime(timezone=kind.tz is not None)
    for is_kind, sql in known:
        if is_kind(kind):
            return sql
    raise DataError("A column of the predictions cannot be kept in a SQL table.", where=field.name, found=str(kind))
