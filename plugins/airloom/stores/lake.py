"""The lake: versioned Delta tables whose partitions are replaced in one atomic commit each."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from airloom.core.errors import DataError, Unavailable
from airloom.core.failpoints import failpoint
from airloom.core.places import Place
from airloom.core.reserved import OF_PARTITIONS
from airloom.core.wording import counted
from airloom.stores.commits import commit_partition
from airloom.stores.content import content_version
from airloom.stores.files import absent_files, folders
from airloom.stores.lake_types import fitted
from airloom.stores.tables import LOG, forget_table, open_table

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    from deltalake import DeltaTable
    from pyarrow.dataset import Dataset

#: Columns that describe a partition; they are folder names, so that the log alone answers what is published.
PARTITION_COLUMNS = list(OF_PARTITIONS)
_ATTEMPTS = 8
#: What our own facts in the table's log start with.
_FACT = "airloom."


@dataclass(frozen=True)
class PartitionVersion:
    """What is published for one partition of one table.

    Args:
        partition: The day.
        version: Digest of the content.
        inputs: Fingerprint of the versions that it was computed from; empty for raw data.
        degraded: Whether a warning stands against it or against anything it was computed from.
    """

    partition: date
    version: str
    inputs: str = ""
    degraded: bool = False

    @property
    def quality(self) -> str:
        """What the lake says of it."""
        return "degraded" if self.degraded else "ok"

    @property
    def columns(self) -> tuple[str, ...]:
        """The values of the columns that describe partitions."""
        return self.partition.isoformat(), self.version, self.inputs, self.quality


@dataclass(frozen=True)
class Lake:
    """The tables of one pipeline below a folder, or below a prefix of a bucket.

    Args:
        root: Folder of the pipeline's tables.
        commits: Tables that are read as they were at a commit; all others are read as they are now.
    """

    root: Place
    commits: Mapping[str, int] = field(default_factory=dict)

    def at(self, commits: Mapping[str, int]) -> Lake:
        """Return the lake as it was at a commit of each table."""
        return Lake(self.root, commits)

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
        return _published(self._open(table, commit))

    def commit(self, table: str) -> int | None:
        """Return the number of the commit at which a table is read, None when there is no table."""
        delta = self._open(table)
        return None if delta is None else int(delta.version())

    def commit_facts(self, table: str, commit: int) -> dict[date, dict[str, Any]]:
        """Return, by day, the facts kept with the commit that had published the day as of a commit.

        Raises:
            DataError: The table has no such commit.
        """
        delta = self._open(table, commit)
        # It lists every commit, newest first, whichever was opened, and then numbers them from that one: count anew.
        history = [] if delta is None else delta.history()[::-1][: commit + 1]
        facts: dict[date, dict[str, Any]] = {}
        for entry in history:
            kept = {name.removeprefix(_FACT): value for name, value in entry.items() if name.startswith(_FACT)}
            if day := kept.pop("partition", None):
                facts[date.fromisoformat(day)] = {name: json.loads(value) for name, value in kept.items()}
        return facts

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
        wanted = [day.isoformat() for day in days]
        self._require_files(table, delta, wanted)
        return delta.to_pyarrow_dataset(file_pruning_predicate=[("partition", "in", wanted)])

    def read(self, table: str, days: Iterable[date], columns: list[str] | None = None) -> pd.DataFrame:
        """Read days of a table, without the columns that describe partitions.

        A table that never had a row has no columns yet; those that are asked for are empty.

        Raises:
            DataError: There is no such table.
        """
        dataset = self.dataset(table, days)
        if dataset is None:
            raise DataError(f"The lake has no table {table}.", where=str(self.path(table)), do="run the stage before")
        own = [name for name in dataset.schema.names if name not in PARTITION_COLUMNS]
        wanted = columns or own
        if own:
            rows: pd.DataFrame = dataset.to_table(columns=wanted).to_pandas()
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
            Unavailable: The day is not any more what was seen; nothing is written.
            DataError: A value would become another one in the table's types; nothing is written.
            SetupError: S3 refuses, or cannot be reached.
        """
        for attempt in range(_ATTEMPTS):
            delta = self._open(table)
            present = _published(delta).get(version.partition)
            if present == version:
                return False
            if seen is not None:
                self._require_unmoved(table, version.partition, seen.get(version.partition), present)
            fitting = fitted(rows, _schema(delta), table) if rows.num_rows else rows
            failpoint("lake.before_commit")
            if self._try_commit(table, delta, version, fitting, metadata or {}, last=attempt == _ATTEMPTS - 1):
                failpoint("lake.after_commit")
                self._require_written(table, version, fitting)
                return True
            time.sleep(random.uniform(0.05, 0.2) * (attempt + 1))
        return True

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
        rows: pa.Table,
        metadata: Mapping[str, object],
        last: bool,
    ) -> bool:
        """Commit once to the table as it was looked at; a failure, or another's commit, is a reason to look again."""
        from deltalake.exceptions import CommitFailedError, DeltaError

        path, columns = self.path(table), dict(zip(PARTITION_COLUMNS, version.columns, strict=True))
        facts = {f"{_FACT}{name}": json.dumps(fact) for name, fact in metadata.items()}
        try:
            commit_partition(path, delta, rows, columns, {f"{_FACT}partition": columns["partition"], **facts})
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
        if not rows.num_rows or delta is None or _published(delta).get(version.partition) != version:
            return
        written = delta.to_pyarrow_dataset(file_pruning_predicate=[("partition", "=", version.columns[0])])
        # What pandas had noted about its own types is not of the content.
        given = rows.replace_schema_metadata(None)
        if content_version(written.to_table(columns=rows.column_names)) != content_version(given):
            raise DataError(
                f"The lake does not hold what was written to {table} of {version.partition}.",
                where=str(self.path(table)),
                do="run the stage for this day again; if this stays, look for a fault of the disk",
            )

    def _require_files(self, table: str, delta: DeltaTable, days: list[str]) -> None:
        """Make sure that what a commit names is there: a vacuum removes what newer commits have replaced.

        Raises:
            DataError: Some of it is not.
        """
        actions, folder = delta.get_add_actions(flatten=True), self.path(table)
        named = zip(actions.column("path").to_pylist(), actions.column("partition.partition").to_pylist(), strict=True)
        files = [path for path, day in named if day in days]
        gone = len(absent_files(folder, files))
        if gone:
            raise DataError(
                f"The table {table} cannot be read any more as it was at commit {delta.version()}.",
                where=str(folder),
                found=f"{gone} of {counted(len(files), 'file')} gone{_vacuumed(delta)}",
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


def _schema(delta: DeltaTable | None) -> pa.Schema:
    """Return the columns of a table; none where there is no table."""
    import pyarrow as pa

    return pa.schema([] if delta is None else delta.schema().to_arrow())


def _said(version: PartitionVersion | None) -> str:
    return f"version {version.version}, {version.quality}" if version else "nothing"


def _published(delta: DeltaTable | None) -> dict[date, PartitionVersion]:
    """Return what a table has published, by day."""
    if delta is None:
        return {}
    actions = delta.get_add_actions(flatten=True)
    columns = [actions.column(f"partition.{name}").to_pylist() for name in PARTITION_COLUMNS]
    versions = [
        PartitionVersion(date.fromisoformat(day), version, inputs or "", quality == "degraded")
        for day, version, inputs, quality in zip(*columns, strict=True)
    ]
    return {each.partition: each for each in sorted(versions, key=lambda each: each.partition)}


def _vacuumed(delta: DeltaTable) -> str:
    """Say when the table was last vacuumed, if it ever was."""
    done = next((each for each in delta.history() if each.get("operation") == "VACUUM END"), None)
    return f", vacuumed on {datetime.fromtimestamp(done['timestamp'] / 1000, UTC):%Y-%m-%d %H:%M} UTC" if done else ""
