"""Staging: extracted partitions as parquet files, readable by the audit alone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from airloom.core.errors import DataError
from airloom.core.places import Place
from airloom.stores.files import read_bytes, replaced_file

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class Staging:
    """The staged partitions of one pipeline below a folder.

    Args:
        root: Folder of the pipeline's staged partitions.
    """

    root: Place

    def path(self, partition: date, table: str) -> Place:
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
        content = self._content(file, partition, table)
        try:
            return parquet.ParquetFile(pa.BufferReader(content)).read()
        except (pa.ArrowException, OSError) as error:
            raise DataError(
                f"The staged table {table} of {partition} cannot be read.",
                where=str(file),
                found=type(error).__name__,
                expected="a whole parquet file",
                do="run extract for this partition again",
            ) from None

    def _content(self, file: Place, partition: date, table: str) -> bytes:
        try:
            content = read_bytes(file)
        except FileNotFoundError:
            raise DataError(
                f"The table {table} of {partition} has not been staged.",
                where=str(file),
                found="no file",
                do="run extract for this partition first",
            ) from None
        if not content:
            raise DataError(
                f"The staged table {table} of {partition} is an empty file.",
                where=str(file),
                found="0 bytes",
                expected="a whole parquet file",
                do="run extract for this partition again",
            )
        return content
