"""Staging: extracted partitions as parquet files, readable by the audit alone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from airloom.core.errors import DataError
from airloom.stores.files import replaced_file

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class Staging:
    """The staged partitions of one pipeline below a folder.

    Args:
        root: Folder of the pipeline's staged partitions.
    """

    root: Path

    def path(self, partition: date, table: str) -> Path:
        """Return the file of one table of one partition."""
        return self.root / partition.isoformat() / f"{table}.parquet"

    def write(self, partition: date, table: str, rows: pa.Table) -> None:
        """Replace a staged table in one step."""
        from pyarrow import parquet

        with replaced_file(self.path(partition, table)) as file:
            parquet.write_table(rows, file)

    def read(self, partition: date, table: str) -> pa.Table:
        """Read a staged table.

        Raises:
            DataError: The file is missing, is empty or cannot be read: three different errors.
        """
        import pyarrow as pa
        from pyarrow import parquet

        file = self.path(partition, table)
        self._require_content(file, partition, table)
        try:
            return parquet.ParquetFile(file).read()
        except (pa.ArrowException, OSError) as error:
            raise DataError(
                f"The staged table {table} of {partition} cannot be read.",
                where=str(file),
                found=type(error).__name__,
                expected="a whole parquet file",
                do="run extract for this partition again",
            ) from None

    def _require_content(self, file: Path, partition: date, table: str) -> None:
        if not file.is_file():
            raise DataError(
                f"The table {table} of {partition} has not been staged.",
                where=str(file),
                found="no file",
                do="run extract for this partition first",
            )
        if file.stat().st_size == 0:
            raise DataError(
                f"The staged table {table} of {partition} is an empty file.",
                where=str(file),
                found="0 bytes",
                expected="a whole parquet file",
                do="run extract for this partition again",
            )
