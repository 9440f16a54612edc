"""The sink: a SQL table in which people and programs find the predictions that the lake has."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airloom.core.errors import DataError, SetupError, Unavailable
from airloom.core.failpoints import failpoint
from airloom.core.failures import words
from airloom.core.pipeline import Pipeline
from airloom.core.settings import Settings
from airloom.stores.content import NO_ROWS
from airloom.stores.database import is_sqlite, open_database, without_password
from airloom.stores.locks import ADVISORY
from airloom.stores.partition_columns import INPUTS, PARTITION, QUALITY, VERSION, read_rows

if TYPE_CHECKING:
    import pyarrow as pa
    from sqlalchemy import Column, Connection, Engine, Table
    from sqlalchemy.types import TypeEngine

    from airloom.stores.lake import Lake, PartitionVersion

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
    key = pipeline.tables[pipeline.score.entities].key
    return Sink(settings.predictions_url, pipeline.score.sink.table, pipeline.name, key)


@dataclass(frozen=True)
class Sink:
    """A table with the predictions of a pipeline, perhaps of several with the same key.

    Args:
        url: SQLAlchemy URL of the database.
        name: Name of the table, which is made when it is missing.
        pipeline: Name of the pipeline.
        key: What identifies a row of a partition.
    """

    url: str
    name: str
    pipeline: str
    key: tuple[str, ...]

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
        from sqlalchemy import Date, column, table

        mine = table(self.name, column("pipeline"), column("partition", Date))
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
            if self._versions(connection, day):
                where = (mine.c.pipeline == self.pipeline) & (mine.c.partition == day)
                connection.execute(mine.delete().where(where))
            failpoint("sink.before_removal")
        failpoint("sink.after_removal")

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

    def _versions(self, connection: Connection, day: date | None = None) -> dict[date, tuple[str, str]]:
        """Return the versions that are there and their quality, by day; a table of somebody else has none."""
        from sqlalchemy import Date, column, inspect, select, table

        inspector = inspect(connection)
        names = {each["name"] for each in inspector.get_columns(self.name)} if inspector.has_table(self.name) else set()
        if not names.issuperset(("pipeline", "partition", "version", "quality")):
            return {}
        there = table(self.name, column("pipeline"), column("partition", Date), column("version"), column("quality"))
        found = select(there.c.partition, there.c.version, there.c.quality).distinct()
        query = found.where(there.c.pipeline == self.pipeline)
        if day is not None:
            query = query.where(there.c.partition == day)
        return {row.partition: (row.version, row.quality) for row in connection.execute(query)}

    def _copy(self, lake: Lake, table: str, day: date) -> bool:
        """Replace a day by what the lake has of it now, whoever has put it there; return whether it was another."""
        with self._engine.begin() as connection:
            if not is_sqlite(self.url):
                connection.exec_driver_sql(_LOCK, {"table": self.name})
            rows, kept = _rows(lake, table, day), self._versions(connection, day).get(day)
            if kept == ((rows["version"][0].as_py(), rows["quality"][0].as_py()) if rows.num_rows else None):
                return False
            target = self._table(connection, rows.schema)
            mine = (target.c.pipeline == self.pipeline) & (target.c.partition == day)
            connection.execute(target.delete().where(mine))
            facts = {"pipeline": self.pipeline, "partition": day}
            if rows.num_rows:
                connection.execute(target.insert(), [{**_in_utc(row), **facts} for row in rows.to_pylist()])
            failpoint("sink.before_commit")
        failpoint("sink.after_commit")
        return True

    def _table(self, connection: Connection, schema: pa.Schema) -> Table:
        """Describe the table, and make it or add columns where these are missing."""
        from sqlalchemy import Column, Date, MetaData, Table, Text, inspect

        others = [field for field in schema if field.name not in ("pipeline", "partition")]
        ordered = sorted(others, key=lambda field: field.name not in self.key)
        columns: list[Column[Any]] = [
            Column("pipeline", Text, primary_key=True),
            Column("partition", Date, primary_key=True),
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


def _rows(lake: Lake, table: str, day: date) -> pa.Table:
    """Read a day as one commit has left it, with its version in every row."""
    dataset = lake.dataset(table, [day])
    if dataset is None:
        raise DataError(f"The lake has no table {table}.", where=str(lake.path(table)))
    rows = read_rows(dataset).drop_columns([INPUTS])
    there = {PARTITION: "partition", VERSION: "version", QUALITY: "quality"}
    return rows.rename_columns([there.get(name, name) for name in rows.column_names])


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
