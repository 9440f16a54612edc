"""The quarantine: rows and partitions that failed a critical expectation, kept with the reason."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from airloom.core.errors import DataError
from airloom.stores.files import replaced_file

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

    root: Path

    def folder(self, table: str, day: date) -> Path:
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
        (folder / _REASON).unlink(missing_ok=True)
        if folder.is_dir():
            shutil.rmtree(folder)

    def reason(self, table: str, day: date) -> Reason | None:
        """Return why something is kept for a partition, None when nothing is.

        Raises:
            DataError: The reason cannot be read.
        """
        file = self.folder(table, day) / _REASON
        try:
            content = json.loads(file.read_text(encoding="utf-8"))
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
        from pyarrow import parquet

        if self.reason(table, day) is None:
            raise DataError(f"Nothing of {table} of {day} is in quarantine.", where=str(self.folder(table, day)))
        return parquet.ParquetFile(self.folder(table, day) / _ROWS).read()

    def is_blocked(self, table: str, day: date) -> bool:
        """Tell whether a partition is stopped."""
        reason = self.reason(table, day)
        return reason is not None and reason.outcome == "blocked"

    def blocked_days(self, table: str) -> set[date]:
        """Return the partitions of a table that are stopped."""
        kept = (date.fromisoformat(file.parent.name) for file in (self.root / table).glob(f"*/{_REASON}"))
        return {day for day in kept if self.is_blocked(table, day)}

    def _keep(self, table: str, day: date, rows: pa.Table, reason: Reason) -> None:
        """Write the rows first: the reason is what makes them count."""
        from pyarrow import parquet

        folder = self.folder(table, day)
        with replaced_file(folder / _ROWS) as file:
            parquet.write_table(rows, file)
        with replaced_file(folder / _REASON) as file:
            file.write_text(json.dumps(asdict(reason), indent=2), encoding="utf-8")
