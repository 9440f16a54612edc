"""Examples: rows as they were scored, and the label of each once it is known."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date
from typing import TYPE_CHECKING, Any

from airloom.core.errors import DataError
from airloom.core.partitions import after, as_of
from airloom.core.pipeline import Pipeline
from airloom.steps.readiness import LABELS, label_days
from airloom.stores.lake import PARTITION_COLUMNS, Lake

if TYPE_CHECKING:
    import pandas as pd

#: The day that a row was published for; no table may have a column of its own by that name.
DAY = "partition"

_KNOWN, _HAPPENED = "airloom_known_at", "airloom_happened"
_ISO_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


def scored_rows(pipeline: Pipeline, days: Iterable[date], lake: Lake) -> tuple[pd.DataFrame, int]:
    """Read the rows that are scored on some days: those of `score.entities` that were known when their day ended.

    Args:
        pipeline: The declaration.
        days: The days.
        lake: The tables, as they are read.

    Returns:
        The rows in the order of day and key, without the label where they have one, and with the day itself; and the
        number of those that became known too late to be scored.
    """
    import pandas as pd

    table, name = pipeline.tables[pipeline.score.entities], f"raw.{pipeline.score.entities}"
    columns = dict.fromkeys([*_columns(lake, name), *table.key, table.known_at, DAY])
    rows = lake.read(name, list(days), columns=[column for column in columns if column != pipeline.label.column])
    rows[DAY] = rows[DAY].map(date.fromisoformat)
    known = pd.to_datetime(rows[table.known_at], utc=True) <= as_ofs(pipeline, rows)
    return rows[known].sort_values([DAY, *table.key], ignore_index=True), int((~known).sum())


def add_labels(
    pipeline: Pipeline, rows: pd.DataFrame, partition: date, lake: Lake
) -> tuple[pd.DataFrame, dict[str, int]]:
    """Add to scored rows the labels that were known as of a partition.

    Rows of the label's table with the same key are corrections of one label: the newest that was known counts. It must
    have happened after the row's as-of and within the horizon.

    Args:
        pipeline: The declaration.
        rows: Scored rows, with the columns of the label's key and the day.
        partition: The as-of.
        lake: The tables, as they are read.

    Returns:
        The rows that have a label, in their order, with the label; and how many have none, by reason.

    Raises:
        DataError: A column of the label's key is missing, or the key does not tell the rows of several days apart.
    """
    import pandas as pd

    label, key = pipeline.label, _matching(pipeline)
    labels = _known_labels(pipeline, rows, partition, lake)
    joined = rows.merge(labels, on=key, how="left", validate="many_to_one")
    begins, until = pd.to_datetime(as_ofs(pipeline, joined), utc=True), _ends(pipeline, joined)
    outside = joined[_HAPPENED].notna() & ~joined[_HAPPENED].between(begins, until, inclusive="right")
    if label.missing == "negative":
        absent, outside = joined[_HAPPENED].isna() | outside, outside & False
        joined[label.column] = joined[label.column].where(~absent, 0.0)
    without = joined[label.column].isna()
    counted = {"without a label": int((without & ~outside).sum()), "label outside its horizon": int(outside.sum())}
    return joined[~without & ~outside].drop(columns=_HAPPENED).reset_index(drop=True), counted


def as_ofs(pipeline: Pipeline, rows: pd.DataFrame) -> pd.Series[Any]:
    """Return the as-of of every row, the end of the day that it was scored on."""
    import pandas as pd

    moments = rows[DAY].map(lambda day: as_of(day, pipeline.schedule.timezone))
    return pd.Series(pd.to_datetime(moments, utc=True))


def _ends(pipeline: Pipeline, rows: pd.DataFrame) -> pd.Series[Any]:
    """Return the moment after which what happens to a row is not its label any more."""
    import pandas as pd

    moments = rows[DAY].map(lambda day: after(day, pipeline.label.horizon, pipeline.schedule.timezone))
    return pd.Series(pd.to_datetime(moments, utc=True))


def _matching(pipeline: Pipeline) -> list[str]:
    """Return the columns by which rows and labels are matched; one in the row or of a query is of the same day."""
    own = pipeline.label.table in (None, pipeline.score.entities)
    return [*pipeline.label_key, DAY] if own else list(pipeline.label_key)


def _known_labels(pipeline: Pipeline, rows: pd.DataFrame, partition: date, lake: Lake) -> pd.DataFrame:
    """Read the newest known row of every key of the label's table, with the moment at which it happened."""
    import pandas as pd

    if pipeline.label.table is None:
        return _computed_labels(pipeline, sorted(set(rows[DAY])), lake)
    label, table, name = pipeline.label, pipeline.tables[pipeline.label.table], f"raw.{pipeline.label.table}"
    key = list(pipeline.label_key)
    _require_key(pipeline, rows, _columns(lake, name))
    days = label_days(pipeline, sorted(set(rows[DAY])), partition)
    columns = list(dict.fromkeys([*key, label.column, table.time, table.known_at, DAY]))
    read = lake.read(name, days, columns=columns)
    read[DAY] = read[DAY].map(date.fromisoformat)
    if label.table == pipeline.score.entities:
        return read[[*key, DAY, label.column]].assign(**{_HAPPENED: _ends(pipeline, read)})
    moments = {_HAPPENED: table.time, _KNOWN: table.known_at}
    timed = read.assign(**{to: pd.to_datetime(read[of], utc=True) for to, of in moments.items()})
    known = timed[timed[_KNOWN] <= as_of(partition, pipeline.schedule.timezone)]
    newest = known.sort_values([_KNOWN, DAY], kind="stable").drop_duplicates(key, keep="last")
    return newest[[*key, label.column, _HAPPENED]]


def _computed_labels(pipeline: Pipeline, days: list[date], lake: Lake) -> pd.DataFrame:
    """Read what the label's query has computed: one label a row and day, complete at the end of its horizon."""
    read = lake.read(LABELS, days, columns=[*pipeline.label_key, pipeline.label.column, DAY])
    read[DAY] = read[DAY].map(date.fromisoformat)
    return read.assign(**{_HAPPENED: _ends(pipeline, read)})


def _require_key(pipeline: Pipeline, rows: pd.DataFrame, labelled: list[str]) -> None:
    """Make sure that both tables have the columns of the label's key, and that it tells scored days apart."""
    for table, columns in ((pipeline.score.entities, list(rows)), (pipeline.label.table, labelled)):
        missing = [name for name in pipeline.label_key if name not in columns]
        if missing and columns:
            raise DataError(
                "The label's key names columns that a table does not have.",
                where=f"pipeline {pipeline.name}, table {table}",
                found=", ".join(map(str, columns)),
                expected=", ".join(missing),
                do="correct `label.key`: both the scored rows and the label's rows have its columns",
            )
    if pipeline.label.table != pipeline.score.entities:
        _require_a_day(pipeline, rows, labelled)


def _require_a_day(pipeline: Pipeline, rows: pd.DataFrame, labelled: list[str]) -> None:
    """Make sure that the label of a row that is scored on several days is not one for all of them."""
    key = list(pipeline.label_key)
    days = rows[[*key, DAY]].drop_duplicates().duplicated(key).sum()
    if not days or any(_is_day(rows[name]) for name in key):
        return
    both = [name for name in rows if name in labelled and name not in (*key, DAY) and _is_day(rows[name])]
    raise DataError(
        "The same key is scored on several days, and the label's key does not tell them apart.",
        where=f"pipeline {pipeline.name}, label.key",
        found=f"{', '.join(key)}: {days} rows of a key that was scored before",
        expected="a key with the day that is scored, or the day that is predicted",
        do=f"add {' or '.join(map(str, both)) or 'a column with that day to both tables, and its name'} to `label.key`",
    )


def _is_day(column: pd.Series[Any]) -> bool:
    """Whether a column holds days or moments."""
    values = column.dropna()
    if values.empty:
        return False
    value = values.iloc[0]
    return isinstance(value, date) or bool(_ISO_DAY.fullmatch(str(value)))


def _columns(lake: Lake, table: str) -> list[str]:
    dataset = lake.dataset(table, [])
    return [] if dataset is None else [name for name in dataset.schema.names if name not in PARTITION_COLUMNS]
