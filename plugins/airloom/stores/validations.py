"""Validation results: immutable, named after their content, without any value of the data."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import PurePosixPath
from typing import Any

from airloom.core.errors import DataError
from airloom.core.fingerprint import fingerprint
from airloom.core.places import Place
from airloom.stores.files import create_file, read_bytes


@dataclass(frozen=True)
class ValidationResults:
    """The results of every audit below a folder.

    Args:
        root: The folder.
    """

    root: Place

    def write(self, pipeline: str, table: str, partition: date, content: Mapping[str, Any]) -> str:
        """Keep a result; the same content is the same file.

        Args:
            pipeline: Name of the pipeline.
            table: The table.
            partition: The day.
            content: The result, as plain JSON values.

        Returns:
            The file's path below the root.
        """
        relative = PurePosixPath(pipeline, table, partition.isoformat(), f"{fingerprint(content)}.json")
        create_file(self.root / relative, json.dumps(content, indent=2, sort_keys=True))
        return relative.as_posix()

    def read(self, result: str) -> dict[str, Any]:
        """Read a result and check that it is what was written.

        Args:
            result: Path below the root, as `write` returned it.

        Raises:
            DataError: It is missing, or has been changed since.
        """
        file = self.root / result
        try:
            content: dict[str, Any] = json.loads(read_bytes(file))
        except (OSError, ValueError) as error:
            raise DataError(
                "A validation result cannot be read.",
                where=str(file),
                found=type(error).__name__,
                do="validate the partition again",
            ) from None
        if fingerprint(content) != file.stem:
            raise DataError(
                "A validation result has been changed after it was written.",
                where=str(file),
                found=fingerprint(content),
                expected=file.stem,
                do="validate the partition again",
            )
        return content
