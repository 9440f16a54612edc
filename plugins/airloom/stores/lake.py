"""The lake: versioned Delta tables whose partitions are replaced in one atomic commit each."""

from __future__ import annotations

import json
import logging
import random
import time
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any

from airloom.core.errors import DataError, Unavailable
from airloom.core.failpoints import failpoint
from airloom.core.places import Place
from airloom.core.reserved import PREFIX
from airloom.core.wording import counted
from airloom.stores.commits import commit_partition, remove_partition
from airloom.stores.content import content_version, exact_frame
from airloom.stores.files import absent_files, folders
from airloom.stores.lake_types import held, named_type, type_name
from airloom.stores.names_of_columns import require_free, require_names
from airloom.stores.partition_columns import own_columns, partition_columns, read_rows
from airloom.stores.table_log import (
    DAY,
    FACT,
    TYPES,
    WIDENED,
    PartitionVersion,
    facts_by_day,
    published_versions,
    table_partition_columns,
    table_schema,
    vacuumed,
)
from airloom.stores.tables import LOG, forget_table, open_days, open_table
from airloom.stores.widening import Fitted, NotTheSameType, fit, recast

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    from deltalake import DeltaTable
    from pyarrow.dataset import Dataset

__all__ = ["Lake", "PartitionVersion"]

_ATTEMPTS = 8
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Lake:
    """The tables of one pipeline below a folder, or below a prefix of a bucket.

    Args:
        root: Folder of the pipeline's tables.
        commits: Tables that are read as they were at a commit; all others are read as they are now.
        left_out: Days of tables that are read as if they were not published.
    """

    root: Place
    commits: Mapping[str, int] = field(default_factory=dict)
    left_out: Mapping[str, Collection[date]] = field(default_factory=dict)

    def at(self, commits: Mapping[str, int]) -> Lake:
        """Return the lake as it was at a commit of each table."""
        return Lake(self.root, commits)

    def without(self, left_out: Mapping[str, Collection[date]]) -> Lake:
        """Return the lake, read at the same commits, as if more days of tables were not published."""
        return Lake(self.root, self.commits, {**self.left_out, **left_out})

    def path(self, table: str) -> Place:
        """Return the folder of a table, `raw.flights` being `raw/flights`."""
        return self.root.joinpath(*table.split("."))

    def tables(self) -> list[str]:
        """Return the names of the tables, in alphabetical order."""
        below = {name: folders(self.root / name) for name in folders(self.root)}
        outer = [name for name, inner in below.items() if LOG in inner]
        inner = [f"{name}.{each}" for name, found in below.items() if name not in outer for each in found]
        return sorted([*outer, *(name for name in inner if LOG in folders(self.path(name)))])

    def partitions(self, table: str, commit: int | None = None) -> dict[date, PartitionVersion]:
        """Return what is published, by day, read from the table's log alone.

        Args:
            table: The table.
            commit: Say what was published at this commit.

        Raises:
            DataError: The table has no such commit.
        """
        left_out, published = self.left_out.get(table, ()), published_versions(self._open(table, commit))
        return {day: each for day, each in published.items() if day not in left_out}

    def commit(self, table: str) -> int | None:
        """Return the number of the commit at which a table is read, None when there is no table."""
        delta = self._open(table)
        return None if delta is None else int(delta.version())

    def commit_facts(self, table: str, commit: int) -> dict[date, dict[str, Any]]:
        """Return, by day, the facts kept with the commit that had published the day as of a commit.

        Raises:
            DataError: The table has no such commit.
        """
        facts = facts_by_day(self._open(table, commit))
        return {
            day: {name: fact for name, fact in kept.items() if name not in (TYPES, WIDENED)}
            for day, kept in facts.items()
        }

    def schema(self, table: str) -> pa.Schema:
        """Return the columns of a table, without those that describe partitions; none where there is no table."""
        return table_schema(self._open(table))

    def own_types(self, table: str) -> dict[date, dict[str, str]]:
        """Return, by published day, the columns and types that its rows were given in, which its version is of.

        Days that were published before commits recorded them are not there.
        """
        published = self.partitions(table)
        return {
            day: kept[TYPES]
            for day, kept in facts_by_day(self._open(table)).items()
            if day in published and TYPES in kept
        }

    def as_published(self, table: str, day: date) -> pa.Table:
        """Read a day in the columns and types that its version is of, whatever the table has become since.

        Raises:
            DataError: There is no such table, or the day was published before commits recorded types.
        """
        import pyarrow as pa

        own = self.own_types(table).get(day)
        dataset = self.dataset(table, [day])
        if dataset is None or own is None:
            raise DataError(
                f"The lake does not know in which types {table} of {day} was published.", where=str(self.path(table))
            )
        there = dataset.schema.names
        rows = dataset.to_table(columns=[name if name in there else f"{PREFIX}{name}" for name in own])
        return recast(rows.rename_columns(list(own)), pa.schema([(n, named_type(t)) for n, t in own.items()]))

    def dataset(self, table: str, days: Iterable[date], commit: int | None = None) -> Dataset | None:
        """Open days of a table for reading, as an Arrow dataset.

        Args:
            table: The table.
            days: The days to read; days that are not published are simply not there.
            commit: Read the table as it was at this commit.

        Returns:
            The dataset, None when there is no table.

        Raises:
            DataError: The table has no such commit, or files of these days that it names are not there any more.
        """
        delta = self._open(table, commit)
        if delta is None:
            return None
        left_out = self.left_out.get(table, ())
        wanted = [day for day in days if day not in left_out]
        self._require_files(table, delta, wanted)
        return open_days(delta, self.path(table), wanted)

    def read(
        self, table: str, days: Iterable[date], columns: list[str] | None = None, whole: Collection[str] = ()
    ) -> pd.DataFrame:
        """Read days of a table, without the columns that describe partitions.

        A table that never had a row has no columns yet; those that are asked for are empty.

        Args:
            table: The table.
            days: The days.
            columns: The columns, perhaps also some of `PARTITION_COLUMNS`; all others by default.
            whole: Columns of whole numbers that stay what they are where some are missing: keys and classes.

        Raises:
            DataError: There is no such table, or it is one of an earlier version and keeps facts of its own there.
        """
        dataset = self.dataset(table, days)
        if dataset is None:
            raise DataError(f"The lake has no table {table}.", where=str(self.path(table)), do="run the stage before")
        own = own_columns(dataset.schema.names)
        wanted = columns or own
        require_free(table, partition_columns(dataset.schema.names), wanted)
        if own:
            rows = exact_frame(read_rows(dataset, wanted), whole)
        else:
            rows = dataset.schema.empty_table().to_pandas().reindex(columns=wanted)
        return rows

    def replace(
        self,
        table: str,
        version: PartitionVersion,
        rows: pa.Table,
        metadata: Mapping[str, object] | None = None,
        seen: Mapping[date, PartitionVersion] | None = None,
    ) -> bool:
        """Replace one partition in one atomic commit; content that is already there is left alone.

        Whoever says what it has `seen` replaces nothing else: a writer that stood still does not put old content over a
        correction. Other days may change meanwhile.

        Args:
            table: The table.
            version: What is to be published; its `version` is `content_version(rows)`.
            rows: The rows, without the columns that describe partitions. Without a row the partition is published too,
                and its columns do not matter.
            metadata: Facts kept with the commit, such as the versions it was computed from.
            seen: What was published of the table, by day, before the writer read anything; else the last one counts.

        Returns:
            Whether anything was written.

        Raises:
            Unavailable: The day is not any more what was seen, or the columns were renamed; nothing is written.
            DataError: The lake has no type for a column, or none for what it is now and was before; nothing is written.
            SetupError: S3 refuses, or cannot be reached.
        """
        given = held(rows, table) if rows.num_rows else rows.select([])
        types = {field.name: type_name(field.type) for field in given.schema}
        for attempt in range(_ATTEMPTS):
            delta = self._open(table)
            present = published_versions(delta).get(version.partition)
            if present == version:
                return False
            if seen is not None:
                self._require_unmoved(table, version.partition, seen.get(version.partition), present)
            fitted = self._fit(table, delta, version.partition, given)
            facts = {**(metadata or {}), TYPES: types, **({WIDENED: fitted.widened} if fitted.widened else {})}
            failpoint("lake.before_commit")
            if self._try_commit(table, delta, version, fitted, facts, last=attempt == _ATTEMPTS - 1):
                failpoint("lake.after_commit")
                for column, change in fitted.widened.items():
                    _log.info("%s, column %s: %s, with %s", table, column, change, version.partition)
                self._require_written(table, version, given)
                return True
            time.sleep(random.uniform(0.05, 0.2) * (attempt + 1))
        return True

    def require_free(self, table: str, columns: Collection[str]) -> None:
        """Make sure that a table can have columns by these names.

        Raises:
            DataError: It is one of an earlier version, which uses one of them itself.
        """
        require_free(table, table_partition_columns(self._open(table)), columns)

    def require_fit(self, table: str, day: date, rows: pa.Table) -> None:
        """Make sure that rows could be published; nothing is written.

        Raises:
            DataError: The lake has no type for a column, or none for what it is now and was before.
        """
        if rows.num_rows:
            self._fit(table, self._open(table), day, held(rows, table))

    def _fit(self, table: str, delta: DeltaTable | None, day: date, rows: pa.Table) -> Fitted:
        """Bring rows of a day to the types that the table has with them."""
        known = table_schema(delta)
        if not rows.num_rows:
            return Fitted(rows, known, {})
        require_names(table, delta, rows.column_names)

        def others(column: str) -> pa.ChunkedArray:
            import pyarrow.dataset as ds

            days = [each for each in self.partitions(table) if each != day]
            dataset = self.dataset(table, days)
            if dataset is None:
                raise DataError(f"The lake has no table {table}.", where=str(self.path(table)))
            of_others = ds.field(partition_columns(dataset.schema.names)[0]) != day.isoformat()
            return dataset.to_table(columns=[column], filter=of_others)[column]

        try:
            return fit(rows, known, others)
        except NotTheSameType as refused:
            raise self._changed(table, day, refused) from None

    def _changed(self, table: str, day: date, refused: NotTheSameType) -> DataError:
        """Return the error of a column that has become another type, with the last other day that has its own."""
        name = refused.column
        own = {each: types for each, types in self.own_types(table).items() if types.get(name, "none") != "none"}
        before = max((each for each in own or self.partitions(table) if each != day), default=None)
        return DataError(
            "Rows do not have the types that the table has, and some values would become others.",
            where=f"table {table}, column {name}",
            found=f"{refused.found}, on {day}",
            expected=f"{refused.known}" + (f", as on {before}" if before else ""),
            do="bring the values to that type in the source, or publish them as another column",
        )

    def withdraw(self, table: str, version: PartitionVersion, facts: Mapping[str, object]) -> bool:
        """Remove one partition in one atomic commit; as of an earlier commit it can still be read, until a vacuum.

        Args:
            table: The table.
            version: What is to be removed, and nothing else.
            facts: Kept with the commit.

        Returns:
            Whether anything was removed; nothing is when the day is not published.

        Raises:
            Unavailable: Something else is published by now, and kept; or other writers kept coming first.
            SetupError: S3 refuses, or cannot be reached.
        """
        from deltalake.exceptions import CommitFailedError

        kept = {f"{FACT}{name}": json.dumps(fact) for name, fact in facts.items()}
        for attempt in range(_ATTEMPTS):
            delta = self._open(table)
            present = published_versions(delta).get(version.partition)
            if delta is None or present is None:
                return False
            self._require_unmoved(table, version.partition, version, present)
            day, name = version.columns[0], table_partition_columns(delta)[0]
            failpoint("lake.before_withdrawal")
            try:
                remove_partition(self.path(table), delta, name, day, {f"{FACT}{DAY}": day, **kept})
            except (CommitFailedError, Unavailable):
                forget_table(self.path(table))
                time.sleep(random.uniform(0.05, 0.2) * (attempt + 1))
                continue
            failpoint("lake.after_withdrawal")
            return True
        raise Unavailable(
            f"{table} of {version.partition} was not removed.", where=str(self.path(table)), do="try again"
        )

    def _require_unmoved(
        self, table: str, day: date, seen: PartitionVersion | None, present: PartitionVersion | None
    ) -> None:
        if present != seen:
            raise Unavailable(
                f"Another run has published {table} of {day} meanwhile; what it has published is kept.",
                where=str(self.path(table)),
                found=_said(present),
                expected=f"{_said(seen)}, as before",
                do="nothing if that is right; to publish something else, run the stage for this day again",
            )

    def _try_commit(
        self,
        table: str,
        delta: DeltaTable | None,
        version: PartitionVersion,
        fitted: Fitted,
        metadata: Mapping[str, object],
        last: bool,
    ) -> bool:
        """Commit once to the table as it was looked at; a failure, or another's commit, is a reason to look again."""
        from deltalake.exceptions import CommitFailedError, DeltaError

        path, columns = self.path(table), dict(zip(table_partition_columns(delta), version.columns, strict=True))
        facts = {f"{FACT}{name}": json.dumps(fact) for name, fact in metadata.items()}
        try:
            commit_partition(
                path,
                delta,
                fitted.rows,
                columns,
                {f"{FACT}{DAY}": version.columns[0], **facts},
                alters=delta is not None and fitted.schema != table_schema(delta),
            )
        except (CommitFailedError, DeltaError, Unavailable) as error:
            forget_table(path)
            if last:
                raise
            # The answer to a commit that was made may have got lost.
            return isinstance(error, Unavailable) and self.partitions(table).get(version.partition) == version
        return True

    def _require_written(self, table: str, version: PartitionVersion, rows: pa.Table) -> None:
        """Read back what was written, unless another writer has replaced it by now.

        Raises:
            DataError: The lake holds other values than it was given.
        """
        delta = self._open(table)
        if not rows.num_rows or delta is None or published_versions(delta).get(version.partition) != version:
            return
        written = open_days(delta, self.path(table), [version.partition])
        # What pandas had noted about its own types is not of the content.
        given = rows.replace_schema_metadata(None)
        if content_version(recast(written.to_table(columns=rows.column_names), given.schema)) != content_version(given):
            raise DataError(
                f"The lake does not hold what was written to {table} of {version.partition}.",
                where=str(self.path(table)),
                do="run the stage for this day again; if this stays, look for a fault of the disk",
            )

    def _require_files(self, table: str, delta: DeltaTable, days: Collection[date]) -> None:
        """Make sure that what a commit names is there: a vacuum removes what newer commits have replaced.

        Raises:
            DataError: Some of it is not.
        """
        actions, folder = delta.get_add_actions(flatten=True), self.path(table)
        of_day = actions.column(f"partition.{table_partition_columns(delta)[0]}")
        named = zip(actions.column("path").to_pylist(), of_day.to_pylist(), strict=True)
        wanted = {day.isoformat() for day in days}
        files = [path for path, day in named if day in wanted]
        gone = len(absent_files(folder, files))
        if gone:
            raise DataError(
                f"The table {table} cannot be read any more as it was at commit {delta.version()}.",
                where=str(folder),
                found=f"{gone} of {counted(len(files), 'file')} gone{vacuumed(delta)}",
                expected="every file that the commit names",
                do="nothing brings them back; airloom vacuum keeps what champions were trained on",
            )

    def _open(self, table: str, commit: int | None = None) -> DeltaTable | None:
        from deltalake.exceptions import DeltaError, TableNotFoundError

        commit = self.commits.get(table) if commit is None else commit
        try:
            return open_table(self.path(table), commit)
        except TableNotFoundError:
            return None
        except DeltaError as error:
            if commit is None:
                raise
            raise DataError(
                f"The table {table} has no commit {commit} any more.",
                where=str(self.path(table)),
                found=str(error).partition("\n")[0],
            ) from error


def _said(version: PartitionVersion | None) -> str:
    return f"version {version.version}, {version.quality}" if version else "nothing"
