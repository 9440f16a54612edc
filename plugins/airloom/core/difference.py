"""What differs between two versions of a model: facts by topic, each with its old and its new value."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from pydantic import BaseModel, ConfigDict

Value = str | int | float | bool | None
Facts = Mapping[str, Value]


class Fact(BaseModel):
    """A frozen value."""

    model_config = ConfigDict(frozen=True)


class Change(Fact):
    """One fact that differs.

    Args:
        name: What it is about.
        old: Its value for the first version, None where it has none.
        new: Its value for the second version, None where it has none.
        day: The partition that it is about, where it is about one.
        note: What to make of it.
    """

    name: str
    old: Value
    new: Value
    day: date | None = None
    note: str = ""


class Topic(Fact):
    """What differs on one topic.

    Args:
        name: The topic.
        changes: What differs.
        same: How many facts are the same for both.
        note: What to know about all of it.
        problem: Why the topic could not be compared, if it could not.
    """

    name: str
    changes: tuple[Change, ...] = ()
    same: int = 0
    note: str = ""
    problem: str | None = None


class Reign(Fact):
    """One time that a version was made champion."""

    epoch: int
    effective_from: date


class Side(Fact):
    """One of the two versions.

    Args:
        version: Its number.
        as_of: The partition as of which it was trained.
        candidate: The candidate that it came from.
        run_id: The MLflow run that trained it.
        reigns: When it was made champion, oldest first.
    """

    version: int
    as_of: date
    candidate: str
    run_id: str
    reigns: tuple[Reign, ...] = ()


class Difference(Fact):
    """What differs between two versions of one pipeline's model.

    Args:
        pipeline: The pipeline.
        old: The first version.
        new: The second version.
        judged_on: The version on whose holdout both were scored: the newer one.
        topics: Every topic, whether anything differs or not.
    """

    pipeline: str
    old: Side
    new: Side
    judged_on: int
    topics: tuple[Topic, ...]


def compared(name: str, old: Facts, new: Facts) -> Topic:
    """Compare two versions' facts; the order is that of the first, followed by what only the second has."""
    names = list(dict.fromkeys([*old, *new]))
    differing = [each for each in names if old.get(each) != new.get(each)]
    changes = tuple(Change(name=each, old=old.get(each), new=new.get(each)) for each in differing)
    return Topic(name=name, changes=changes, same=len(names) - len(changes))


def compared_days(table: str, old: Mapping[date, Value], new: Mapping[date, Value]) -> Topic:
    """Compare two versions' facts about the days of one table, oldest day first."""
    days = sorted({*old, *new})
    changes = tuple(
        Change(name=table, old=old.get(day), new=new.get(day), day=day) for day in days if old.get(day) != new.get(day)
    )
    return Topic(name=table, changes=changes, same=len(days) - len(changes))


def merged(name: str, topics: list[Topic], note: str = "") -> Topic:
    """Make one topic of several."""
    changes = tuple(change for topic in topics for change in topic.changes)
    return Topic(name=name, changes=changes, same=sum(topic.same for topic in topics), note=note)
