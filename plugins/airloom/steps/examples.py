"""Examples: rows as they were scored, and the label of each once it is known."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from airloom.core.errors import DataError
from airloom.core.partitions import after, as_of
from airloom.core.pipeline import Pipeline
from airloom.steps.label_values import label_codes, label_name, require_known
from airloom.steps.readiness import LABELS, label_days, label_table
from airloom.stores.lake import Lake
from airloom.stores.partition_columns import PARTITION, own_columns

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

#: The day that a row was published for.
DAY = PARTITION

#: When a label happened and when it was known, as instants.
HAPPENED, KNOWN = "airloom_happened", "airloom_known_at"
#: Whether a label is there and is none that the declaration knows.
UNKNOWN = "airloom_unknown"
#: Why a row is left out whose label is none that the declaration knows.
_NOT_DECLARED = "label not declared"
_DAY_LONG = timedelta(days=1)
_ISO_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


def scored_rows(pipeline: Pipeline, days: Iterable[date], lake: Lake) -> tuple[pd.DataFrame, int]:
    """Read the rows that are scored on some days: those of `score.entities` that were known when their day ended.

    Args:
        pipeline: The declaration.
        days: The days.
        lake: The tables, as they are read.

    Returns:
        The rows in the order of day and key, with the day and without a column of the label's name; and how many became
        known too late to be scored.
    """
    import pandas as pd

    table, name = pipeline.tables[pipeline.score.entities], f"raw.{pipeline.score.entities}"
    columns = [*_columns(lake, name), *table.key, table.known_at]
    rows = _read(pipeline, lake, name, list(days), [column for column in columns if column != pipeline.label.column])
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
        The rows that have a label, in their order, with the label as a number, as `label_codes` gives it; and how many
        have none, by reason. Where each moment lies within the horizon of one day only, also how many labels have no
        row that was scored.

    Raises:
        DataError: A column of the label's key is missing, the key does not tell the rows of several days apart, or
            labels are not what the declaration says.
    """
    labelled, counted = _join_labels(pipeline, rows, partition, lake)
    unknown = counted.get(_NOT_DECLARED, 0)
    require_known(pipeline, unknown, unknown + len(labelled))
    return labelled, counted


def _join_labels(
    pipeline: Pipeline, rows: pd.DataFrame, partition: date, lake: Lake
) -> tuple[pd.DataFrame, dict[str, int]]:
    label, key = pipeline.label, _matching(pipeline)
    labels = known_labels(pipeline, rows, partition, lake)
    kept = [*key, label.column, UNKNOWN, HAPPENED, KNOWN]
    joined = rows.merge(labels[kept], on=key, how="left", validate="many_to_one")
    begins, until = as_ofs(pipeline, joined), _ends(pipeline, joined)
    _require_later(pipeline, joined, begins)
    outside = joined[HAPPENED].notna() & ~joined[HAPPENED].between(begins, until, inclusive="right")
    if label.missing == "negative":
        absent, outside = joined[HAPPENED].isna() | outside, outside & False
        joined[label.column] = joined[label.column].where(~absent, 0.0)
    without = joined[label.column].isna()
    unknown = joined[UNKNOWN].eq(True) & ~outside & without
    counted = {
        "without a label": int((without & ~outside & ~unknown).sum()),
        "label outside its horizon": int(outside.sum()),
    }
    if unknown.any():
        counted[_NOT_DECLARED] = int(unknown.sum())
    if label.horizon <= _DAY_LONG:
        counted["labels without a scored row"] = _without_scored_row(pipeline, labels, rows)
    return joined[~without & ~outside].drop(columns=[UNKNOWN, HAPPENED, KNOWN]).reset_index(drop=True), counted


def describe_label(pipeline: Pipeline, row: pd.DataFrame, lake: Lake) -> dict[str, str]:
    """Describe what is known of the label of one scored row by now.

    Args:
        pipeline: The declaration.
        row: The row, as `scored_rows` returns it.
        lake: The tables, as they are read.

    Returns:
        Its value, the partition that it was published for, when it happened and became known, and as of which day it
        is complete; by what it is.
    """
    table, day = label_table(pipeline), row[DAY].iloc[0]
    newest = max(lake.partitions(f"raw.{pipeline.subject}"), default=day)
    complete = day + pipeline.label.matures_after
    if not lake.partitions(table):
        return {"label": "not known yet", "label complete": f"as of {complete}"}
    labelled, without = _join_labels(pipeline, row, newest, lake)
    found = known_labels(pipeline, row, newest, lake).merge(row[_matching(pipeline)], on=_matching(pipeline))
    value = "not known yet" if newest < complete and found.empty else ""
    value = value or (label_name(pipeline.label, labelled[pipeline.label.column].iloc[0]) if len(labelled) else "")
    facts = {"label": value or ", ".join(reason for reason, rows in without.items() if rows)}
    for label in found.to_dict("records"):
        happened, known = (f"{label[moment]:%Y-%m-%d %H:%M:%S} UTC" for moment in (HAPPENED, KNOWN))
        facts |= {"label from": f"{table} {label[DAY]}", "label happened": happened, "label known": known}
    return {**facts, "label complete": f"as of {complete}"}


def entity(pipeline: Pipeline, rows: pd.DataFrame) -> list[str]:
    """Return the columns that say which entity a scored row is of: its key without the days in it."""
    key = list(pipeline.tables[pipeline.score.entities].key)
    return [name for name in key if not is_day(rows[name])] or key


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
    same_day = label_table(pipeline) == LABELS
    return [*pipeline.label_key, DAY] if same_day else list(pipeline.label_key)


def known_labels(pipeline: Pipeline, rows: pd.DataFrame, partition: date, lake: Lake) -> pd.DataFrame:
    """Read the newest known row of every key of the labels.

    Args:
        pipeline: The declaration.
        rows: Scored rows, with the columns of the label's key and the day.
        partition: The as-of.
        lake: The tables, as they are read.

    Returns:
        Rows of the labels as `label_rows` returns them.

    Raises:
        DataError: A column of the label's key is missing, or the key does not tell the rows of several days apart.
    """
    _require_key(pipeline, rows, _columns(lake, label_table(pipeline)), lake)
    timed = label_rows(pipeline, label_days(pipeline, sorted(set(rows[DAY])), partition), lake)
    in_time = timed[timed[KNOWN] <= as_of(partition, pipeline.schedule.timezone)]
    return in_time.sort_values([KNOWN, DAY], kind="stable").drop_duplicates(_matching(pipeline), keep="last")


def label_rows(pipeline: Pipeline, days: list[date], lake: Lake) -> pd.DataFrame:
    """Read what was published of the labels on some days: corrections are rows of their own.

    Args:
        pipeline: The declaration.
        days: The days of the label's table.
        lake: The tables, as they are read.

    Returns:
        Key, label as a number, whether it is `UNKNOWN`, day, and as instants in UTC `HAPPENED` and `KNOWN`.
    """
    import pandas as pd

    name, key = label_table(pipeline), list(pipeline.label_key)
    if pipeline.label.table is None or name == LABELS:
        read = _read(pipeline, lake, name, days, [*key, pipeline.label.column])
        happened = known = _ends(pipeline, read)
    else:
        table = pipeline.tables[pipeline.label.table]
        read = _read(pipeline, lake, name, days, [*key, pipeline.label.column, table.time, table.known_at])
        happened, known = (pd.to_datetime(read[column], utc=True) for column in (table.time, table.known_at))
    # Before any join: whole numbers with gaps would become doubles there.
    codes, unknown = label_codes(pipeline.label, read[pipeline.label.column])
    return read.assign(**{pipeline.label.column: codes, UNKNOWN: unknown, HAPPENED: happened, KNOWN: known})


def _read(pipeline: Pipeline, lake: Lake, table: str, days: list[date], columns: list[str]) -> pd.DataFrame:
    """Read columns of a table, each once, and the day of every row.

    Whole numbers stay whole where some are missing, so that they still are the keys and the classes that they were; but
    what models read are numbers.
    """
    inputs, wanted = pipeline.train.inputs, list(dict.fromkeys([*columns, DAY]))
    whole = [name for name in wanted if name not in (*inputs.categorical, *inputs.numeric, pipeline.train.weight)]
    rows = lake.read(table, days, columns=wanted, whole=whole)
    rows[DAY] = rows[DAY].map(date.fromisoformat)
    return rows


def _without_scored_row(pipeline: Pipeline, labels: pd.DataFrame, rows: pd.DataFrame) -> int:
    """Count the labels that happened within the horizon of a scored day, and whose key was not scored on it."""
    import pandas as pd

    days, key = pd.DataFrame({DAY: sorted(set(rows[DAY]))}), _matching(pipeline)
    place = as_ofs(pipeline, days).searchsorted(labels[HAPPENED]) - 1
    within = (place >= 0) & (labels[HAPPENED].to_numpy() <= _ends(pipeline, days).to_numpy()[place])
    found = labels.loc[within, key].merge(rows[key], on=key, how="left", indicator=True)
    return int((found["_merge"] == "left_only").sum())


def _require_later(pipeline: Pipeline, labelled: pd.DataFrame, begins: pd.Series[Any]) -> None:
    """Make sure that no label was known before its row was scored: the row would have been scored with it."""
    early = int((labelled[KNOWN].notna() & (labelled[KNOWN] <= begins) & (labelled[HAPPENED] > begins)).sum())
    if early:
        raise DataError(
            "Labels were known before the rows that they belong to were scored.",
            where=f"pipeline {pipeline.name}, table {pipeline.label.table}",
            found=f"{early} of {len(labelled)} rows",
            expected="a label that becomes known after the end of the scored day",
            do="correct the time at which the labels became known, or `label.key`",
        )


def _require_key(pipeline: Pipeline, rows: pd.DataFrame, labelled: list[str], lake: Lake) -> None:
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
    _require_types(pipeline, lake)
    if label_table(pipeline) != LABELS:
        _require_a_day(pipeline, rows, labelled)


def _require_types(pipeline: Pipeline, lake: Lake) -> None:
    """Make sure that a key has one type in both tables: a day as text is never equal to a day as a date."""
    tables = (f"raw.{pipeline.score.entities}", label_table(pipeline))
    scored, labelled = ({} if (found := lake.dataset(each, [])) is None else _types(found.schema) for each in tables)
    for name in pipeline.label_key:
        if name in scored and name in labelled and scored[name] != labelled[name]:
            raise DataError(
                "A column of the label's key has another type in the label's table than in the scored rows.",
                where=f"pipeline {pipeline.name}, column {name}",
                found=f"{labelled[name]} in {tables[1]}",
                expected=f"{scored[name]}, as in {tables[0]}",
                do="give it one type in the source, and publish the days of one of the tables again",
            )


def _types(schema: pa.Schema) -> dict[str, str]:
    """Return the types of columns by name; all numbers are of one."""
    import pyarrow as pa

    def word(kind: pa.DataType) -> str:
        return "number" if pa.types.is_integer(kind) or pa.types.is_floating(kind) else str(kind)

    return {field.name: word(field.type) for field in schema if not pa.types.is_null(field.type)}


def _require_a_day(pipeline: Pipeline, rows: pd.DataFrame, labelled: list[str]) -> None:
    """Make sure that the label of a row that is scored on several days is not one for all of them."""
    key = list(pipeline.label_key)
    days = rows[[*key, DAY]].drop_duplicates().duplicated(key).sum()
    if not days or any(_tells_days_apart(rows, name) for name in key):
        return
    both = [name for name in rows if name in labelled and name not in (*key, DAY) and _tells_days_apart(rows, name)]
    raise DataError(
        "The same key is scored on several days, and the label's key does not tell them apart.",
        where=f"pipeline {pipeline.name}, label.key",
        found=f"{', '.join(key)}: {days} rows of a key that was scored before",
        expected="a key with the day that is scored, or the day that is predicted",
        do=f"add {' or '.join(map(str, both)) or 'a column with that day to both tables, and its name'} to `label.key`",
    )


def _tells_days_apart(rows: pd.DataFrame, name: str) -> bool:
    """Whether a column holds the scored day or one that is predicted: days, none of them before its row was scored."""
    import pandas as pd

    if not is_day(rows[name]):
        return False
    days = pd.to_datetime(rows[name], utc=True, errors="coerce")
    # In UTC a day begins up to a day earlier than there.
    return bool((days >= pd.to_datetime(rows[DAY], utc=True) - _DAY_LONG).all())


def is_day(column: pd.Series[Any]) -> bool:
    """Tell whether a column holds days or moments."""
    values = column.dropna()
    if values.empty:
        return False
    value = values.iloc[0]
    return isinstance(value, date) or bool(_ISO_DAY.fullmatch(str(value)))


def _columns(lake: Lake, table: str) -> list[str]:
    dataset = lake.dataset(table, [])
    return [] if dataset is None else own_columns(dataset.schema.names)
