"""How differences read: numbers in words, days as ranges, many equal rows as one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import groupby

from airloom.core.difference import Change, Topic, Value
from airloom.core.wording import counted

#: So many columns are shown of what has shifted in importance.
_MOST = 10
_DIGEST = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class Row:
    """One row for people."""

    name: str
    old: str
    new: str
    change: str


def rows_of(topic: Topic) -> list[Row]:
    """Return a topic's differences as people read them."""
    if topic.name == "lake":
        return _grouped(_lake_rows(topic.changes))
    rows = [Row(each.name, shown(each.old), shown(each.new), _change(each)) for each in topic.changes]
    if topic.name != "importance" or len(rows) <= _MOST:
        return rows
    rest = topic.changes[_MOST:]
    largest = max(abs(float(each.new or 0) - float(each.old or 0)) for each in rest)
    return [*rows[:_MOST], Row(f"{counted(len(rest), 'other column')}", "", "", f"none above {largest:.4f}")]


def shown(value: Value) -> str:
    """Return a value as people read it."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.4f}"
    return value[:12] if _DIGEST.fullmatch(value) else value


def ranges(days: Iterable[date]) -> str:
    """Return days as people read them: 2013-02-01 to 2013-02-05, 2013-02-10."""
    told = []
    # Days in a row have the same distance to their place in the list.
    for _, run in groupby(enumerate(sorted(days)), key=lambda each: each[1] - timedelta(days=each[0])):
        first, *others = [day for _, day in run]
        told.append(f"{first} to {others[-1]}" if others else str(first))
    return ", ".join(told)


def _change(change: Change) -> str:
    old, new = change.old, change.new
    parts = [change.note] if change.note else []
    if isinstance(old, int | float) and isinstance(new, int | float) and not isinstance(old, bool):
        whole = isinstance(old, int) and isinstance(new, int)
        parts.insert(0, f"{new - old:+,}" if whole else f"{new - old:+.4f}")
    elif old is None or new is None:
        parts = parts or ["added" if old is None else "removed"]
    return " ".join(parts)


def _lake_rows(changes: Iterable[Change]) -> Iterator[Row]:
    """Yield commits as they are, and the days of each table as ranges."""
    days: dict[str, list[Change]] = {}
    for change in changes:
        if change.day is None:
            yield Row(change.name, shown(change.old), shown(change.new), _change(change))
        else:
            days.setdefault(change.name, []).append(change)
    for table, differing in days.items():
        yield from _table_rows(table, differing)


def _table_rows(table: str, changes: list[Change]) -> Iterator[Row]:
    only_old = [each.day for each in changes if each.day and each.new is None]
    only_new = [each.day for each in changes if each.day and each.old is None]
    if only_old or only_new:
        yield Row(f"{table}, days", ranges(only_old) or "-", ranges(only_new) or "-", "only in one")
    other = [each for each in changes if each.old is not None and each.new is not None]
    if other:
        [old, new] = [shown(other[0].old), shown(other[0].new)] if len(other) == 1 else [f"{len(other)} versions"] * 2
        told = ranges(each.day for each in other if each.day)
        yield Row(f"{table}, content", old, new, f"other content: {told}")


def _grouped(rows: Iterable[Row]) -> list[Row]:
    """Make one row of those that say the same of several tables."""
    groups: dict[tuple[str, ...], list[str]] = {}
    for row in rows:
        table, _, what = row.name.partition(", ")
        groups.setdefault((what, row.old, row.new, row.change), []).append(table)
    return [Row(f"{_names(tables)}, {what}", *cells) for (what, *cells), tables in groups.items()]


def _names(tables: list[str]) -> str:
    return tables[0] if len(tables) == 1 else f"{tables[0]} and {counted(len(tables) - 1, 'other')}"
