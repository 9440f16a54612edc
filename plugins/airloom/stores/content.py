"""The digest by which content is named: different rows differ in it, whatever their order."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

from airloom.core.errors import DataError

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

#: The version of every table without a row: its columns have no types yet, and are no content.
NO_ROWS = hashlib.sha256(b"[]").hexdigest()[:16]
#: Whole numbers from here on are no longer told apart as floats.
_LARGEST = 2**53


def content_version(rows: pa.Table, ignore: Iterable[str] = ()) -> str:
    """Return the digest of a table's content, whatever the order of its rows; without a row it is `NO_ROWS`.

    Args:
        rows: The rows.
        ignore: Columns that say when or by whom the rows were made.

    Raises:
        DataError: A column holds lists or the like.
    """
    import pandas as pd

    if rows.num_rows == 0:
        return NO_ROWS
    frame = exact_frame(rows.drop_columns([name for name in ignore if name in rows.column_names]))
    digest = hashlib.sha256(repr([(name, str(dtype)) for name, dtype in frame.dtypes.items()]).encode())
    row_hashes = pd.util.hash_pandas_object(frame, index=False).to_numpy(copy=True)
    row_hashes.sort()
    digest.update(row_hashes.tobytes())
    return digest.hexdigest()[:16]


def exact_frame(rows: pa.Table, whole: Collection[str] = ()) -> pd.DataFrame:
    """Return rows as a frame in which different rows differ.

    pandas makes floats of whole numbers among which one is missing; where these are too large for it, they stay whole.

    Args:
        rows: The rows.
        whole: Columns that stay whole numbers where some are missing, however small: keys and classes.

    Raises:
        DataError: A column holds lists or the like, which cannot be compared.
    """
    import pandas as pd
    import pyarrow as pa
    import pyarrow.compute as pc

    require_flat(rows.schema)
    nullable = {
        **{pa.int8(): pd.Int8Dtype(), pa.int16(): pd.Int16Dtype(), pa.int32(): pd.Int32Dtype()},
        **{pa.int64(): pd.Int64Dtype(), pa.uint64(): pd.UInt64Dtype()},
    }
    frame: pd.DataFrame = rows.to_pandas()
    for name in rows.column_names:
        values = rows[name]
        if values.type in nullable and 0 < values.null_count < len(values):
            least, most = pc.min_max(values).as_py().values()
            if name in whole or max(-least, most) > _LARGEST:
                frame[name] = values.to_pandas(types_mapper=nullable.get)
    return frame


def require_flat(schema: pa.Schema, table: str = "") -> None:
    """Make sure that rows can be compared.

    Args:
        schema: Their columns.
        table: The table that they are of, to name it.

    Raises:
        DataError: A column holds lists or the like.
    """
    import pyarrow as pa

    for field in schema:
        if pa.types.is_nested(field.type):
            raise DataError(
                "A column holds lists, maps or structures.",
                where=f"table {table}, column {field.name}" if table else f"column {field.name}",
                found=str(field.type),
                expected="one value in each row",
                do="make columns of its parts, a table of its elements, or text of it, such as JSON",
            )
