"""The quarantine: rows and partitions that failed a critical expectation, kept with the reason."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import TYPE_CHECKING, Literal

from airloom.core.errors import DataError
from airloom.core.places import Place
from airloom.stores.files import files_below, read_bytes, remove_file, remove_folder, replaced_file

if TYPE_CHECKING:
    import pyarrow as pa

_REASON, _ROWS = "reason.json", "rows.parquet"


@dataclass(frozen=True)
class Reason:
    """Why rows are in quarantine.

    Args:
        outcome: `blocked` when the whole partition was stopped, `quarantined` when only these rows were held back.
        rows: How many rows are kept.
        reasons: The failures, one each.
        validation: Path of the audit's result, below the folder of validation results.
    """

    outcome: Literal["blocked", "quarantined"]
    rows: int
    reasons: tuple[str, ...]
    validation: str


@dataclass(frozen=True)
class Quarantine:
    """The quarantine of one pipeline below a folder.

    Args:
        root: Folder of the pipeline's quarantine.
    """

    root: Place

    def folder(self, table: str, day: date) -> Place:
        """Return the folder of one partition of one table."""
        return self.root / table / day.isoformat()

    def block(self, table: str, day: date, rows: pa.Table, reasons: Sequence[str], validation: str) -> None:
        """Keep a whole partition that must not be published."""
        self._keep(table, day, rows, Reason("blocked", rows.num_rows, tuple(reasons), validation))

    def hold_back(self, table: str, day: date, rows: pa.Table, reasons: Sequence[str], validation: str) -> None:
        """Keep rows of a partition that is published without them."""
        self._keep(table, day, rows, Reason("quarantined", rows.num_rows, tuple(reasons), validation))

    def lift(self, table: str, day: date) -> None:
        """Forget what is kept for a partition; nothing happens when nothing is kept."""
        folder = self.folder(table, day)
        remove_file(folder / _REASON)
        remove_folder(folder)

    def reason(self, table: str, day: date) -> Reason | None:
        """Return why something is kept for a partition, None when nothing is.

        Raises:
            DataError: The reason cannot be read.
        """
        file = self.folder(table, day) / _REASON
        try:
            content = json.loads(read_bytes(file))
            return Reason(**{**content, "reasons": tuple(content["reasons"])})
        except FileNotFoundError:
            return None
        except (ValueError, TypeError, KeyError):
            raise DataError(
                f"The reason for the quarantine of {table} of {day} cannot be read.",
                where=str(file),
                do="run the ingest stage for this partition again",
            ) from None

    def rows(self, table: str, day: date) -> pa.Table:
        """Read the rows that are kept for a partition.

        Raises:
            DataError: Nothing is kept for it.
        """
        import pyarrow as pa
        from pyarrow import parquet

        if self.reason(table, day) is None:
            raise DataError(f"Nothing of {table} of {day} is in quarantine.", where=str(self.folder(table, day)))
        return parquet.ParquetFile(pa.BufferReader(read_bytes(self.folder(table, day) / _ROWS))).read()

    def is_blocked(self, table: str, day: date) -> bool:
        """Tell whether a partition is stopped."""
        reason = self.reason(table, day)
        return reason is not None and reason.outcome == "blocked"

    def blocked_days(self, table: str, among: Collection[date] | None = None) -> set[date]:
        """Return the partitions of a table that are stopped.

        Args:
            table: The table.
            among: Look at these days only.
        """
        kept = (each.place.parent.name for each in files_below(self.root / table) if each.place.name == _REASON)
        days = (date.fromisoformat(name) for name in kept)
        return {day for day in days if (among is None or day in among) and self.is_blocked(table, day)}

    def _keep(self, table: str, day: date, rows: pa.Table, reason: Reason) -> None:
        """Write the rows first: the reason is what makes them count."""
        from pyarrow import parquet

        folder = self.folder(table, day)
        with replaced_file(folder / _ROWS) as file:
            parquet.write_table(rows, file)
        with replaced_file(folder / _REASON) as file:
            file.write_text(json.dumps(asdict(reason), indent=2), encoding="utf-8")
