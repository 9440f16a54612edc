"""What predictions call the columns that Airloom adds to rows: in new tables with a prefix, in older ones without.

In memory they have the prefix. A table of predictions, of the lake or of a SQL database, keeps the names that it has
until `airloom upgrade --rename-columns`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

from airloom.core.errors import DataError
from airloom.core.reserved import PREFIX
from airloom.stores.partition_columns import own_columns

if TYPE_CHECKING:
    import pyarrow as pa

#: What these columns are called without the prefix; no column of the user's was beside them in an older table.
_WITHOUT = re.compile(r"(current_)?(score|predicted|model_version)|pipeline_digest|scored_at|run_id")
#: The same of the score of a class; a column of the user's may look like one.
_OF_CLASS = re.compile(r"(current_)?score_.+")


def has_prefix(names: Collection[str]) -> bool:
    """Tell whether a table of predictions in the lake has the prefix, as one has that has no rows yet."""
    own = own_columns(names)
    return not own or any(name.startswith(PREFIX) for name in own)


def with_prefix(names: Iterable[str], users: Collection[str]) -> dict[str, str]:
    """Return the columns of an older table that are ours, and what they are called with the prefix.

    Args:
        names: The table's columns.
        users: Key and time of the scored rows.
    """
    return {
        name: f"{PREFIX}{name}"
        for name in names
        if _WITHOUT.fullmatch(name) or (_OF_CLASS.fullmatch(name) and name not in users)
    }


def without_prefix(names: Iterable[str], where: str) -> dict[str, str]:
    """Return columns of ours and what they are called in an older table.

    Args:
        names: All columns that the rows have.
        where: The table, for an error.

    Raises:
        DataError: A column of the user's has one of these names.
    """
    renamed = {name: name.removeprefix(PREFIX) for name in names if name.startswith(PREFIX)}
    if taken := sorted(set(names).intersection(renamed.values())):
        raise DataError(
            "Predictions of an earlier version have columns of their own by the names of yours.",
            where=where,
            found=", ".join(taken),
            expected=f"names that do not meet {', '.join(renamed.values())}",
            do="run airloom upgrade --rename-columns, or rename yours in the source",
        )
    return renamed


def renamed(rows: pa.Table, names: dict[str, str]) -> pa.Table:
    """Return rows whose columns are called otherwise."""
    return rows.rename_columns([names.get(name, name) for name in rows.column_names])
