"""Training sets on disk: one immutable Parquet file each, named after its content."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from io import BytesIO
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Literal

from airloom.core.errors import DataError
from airloom.core.fingerprint import fingerprint
from airloom.core.pipeline import Pipeline
from airloom.core.places import Place
from airloom.core.records import TrainingSet
from airloom.core.settings import Settings
from airloom.steps.columns import ModelColumns
from airloom.steps.examples import DAY
from airloom.stores.content import content_version
from airloom.stores.files import files_below, read_bytes, replaced_file

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

Split = Literal["train", "holdout"]

SPLIT = "airloom_split"
#: What files have always called the day of a row, and digests are of; unless a column of the user's has that name.
_DAY_IN_FILES = "partition"
_COLUMNS = b"airloom.columns"


@dataclass(frozen=True)
class Rows:
    """One split of a training set.

    Args:
        frame: Keys, day, label, inputs and features.
        columns: Those of them that models read.
        digest: Fingerprint of the rows.
    """

    frame: pd.DataFrame
    columns: ModelColumns
    digest: str

    @property
    def inputs(self) -> pd.DataFrame:
        """What models read."""
        return self.frame[self.columns.all]


def write_training_set(
    pipeline: Pipeline,
    partition: date,
    rows: pd.DataFrame,
    columns: ModelColumns,
    settings: Settings,
    pipeline_digest: str | None = None,
) -> tuple[str, str]:
    """Write the rows under the name of their digest, at once or not at all.

    Args:
        pipeline: The declaration.
        partition: The as-of.
        rows: The rows.
        columns: Those of their columns that models read.
        settings: Where training sets are.
        pipeline_digest: The declaration's digest when it was recorded, by code for which it may have been another.

    Returns:
        The digest, and the path below the folder of training sets.
    """
    table = _filed(rows)
    digest = fingerprint([content_version(table), pipeline_digest or pipeline.digest])
    path = training_path(pipeline.name, partition, digest)
    described = table.replace_schema_metadata({**(table.schema.metadata or {}), _COLUMNS: columns.model_dump_json()})
    write_parquet(described, settings.training / path)
    return digest, path


def training_path(pipeline: str, partition: date, digest: str) -> str:
    """Return the path of a training set below the folder of training sets."""
    return PurePosixPath(pipeline, partition.isoformat(), f"{digest}.parquet").as_posix()


def read_rows(training: TrainingSet, split: Split, settings: Settings) -> Rows:
    """Read one split of a training set.

    Raises:
        DataError: The file is not there any more.
    """
    return read_file(settings.training / training.path, split)


def read_file(file: Place, split: Split | None = None) -> Rows:
    """Read the file of a training set, one split of it or both.

    Raises:
        DataError: The file is not there any more.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        content = pa.BufferReader(read_bytes(file))
    except FileNotFoundError:
        raise DataError("The training set is not there any more.", where=str(file), do="run assemble again") from None
    table = pq.read_table(content, filters=[(SPLIT, "==", split)] if split else None)
    columns = ModelColumns.model_validate_json(table.schema.metadata[_COLUMNS])
    return Rows(_unfiled(table.to_pandas()), columns, content_version(table))


def write_results(path: str, results: pd.DataFrame, settings: Settings) -> None:
    """Write what challenger and champion predicted, row by row, as `read_results` reads it."""
    write_parquet(_filed(results), settings.training / path)


def read_results(path: str, settings: Settings) -> pd.DataFrame:
    """Read what challenger and champion predicted, row by row.

    Args:
        path: The file, below the folder of training sets.
        settings: Where training sets are.

    Raises:
        DataError: The file is not there any more.
    """
    import pandas as pd

    file = settings.training / path
    try:
        return _unfiled(pd.read_parquet(BytesIO(read_bytes(file))))
    except FileNotFoundError:
        raise DataError(
            "The results by row are not there any more.", where=str(file), do="run evaluate again"
        ) from None


def training_files(pipeline: Pipeline, partition: date, settings: Settings) -> list[Place]:
    """Return the files of a night's training sets, the newest last."""
    found = files_below(settings.training / pipeline.name / partition.isoformat())
    # Results by row have the names of the versions in theirs.
    sets = [file for file in found if file.place.name.count(".") == 1]
    return [file.place for file in sorted(sets, key=lambda file: file.modified)]


def _filed(rows: pd.DataFrame) -> pa.Table:
    import pyarrow as pa

    named = rows if _DAY_IN_FILES in rows else rows.rename(columns={DAY: _DAY_IN_FILES})
    return pa.Table.from_pandas(named, preserve_index=False)


def _unfiled(rows: pd.DataFrame) -> pd.DataFrame:
    return rows if DAY in rows else rows.rename(columns={_DAY_IN_FILES: DAY})


def write_parquet(table: pa.Table, file: Place) -> None:
    """Write a file as a whole or not at all."""
    import pyarrow.parquet as pq

    with replaced_file(file) as temporary:
        pq.write_table(table, temporary)
