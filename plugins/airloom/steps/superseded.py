"""Superseded data: what a training has read that is published with other content now."""

from __future__ import annotations

from contextlib import suppress

from airloom.core.errors import DataError
from airloom.core.pipeline import Pipeline
from airloom.core.verdict import Verdict
from airloom.steps.readiness import label_inputs, scored_days
from airloom.stores.lake import Lake, PartitionVersion


def superseded(pipeline: Pipeline, verdict: Verdict, lake: Lake) -> list[str]:
    """Find the partitions that a judged version was trained on and that have been corrected or published since.

    A model is a historical fact: it is not trained again, and its verdict stands.

    Args:
        pipeline: The declaration.
        verdict: The verdict, with the commits at which the training set was read; a table whose commit is not there any
            more is left out.
        lake: The tables, as they are now.

    Returns:
        Table and day of each, `raw.flights 2013-02-03`, by table.
    """
    days = scored_days(pipeline, verdict.partition)
    read = dict.fromkeys(verdict.lake, days) | label_inputs(pipeline, days, verdict.partition)
    found: list[str] = []
    for table, commit in verdict.lake.items():
        with suppress(DataError):
            then, now = lake.partitions(table, commit), lake.partitions(table)
            found += [f"{table} {day}" for day in read[table] if _content(then.get(day)) != _content(now.get(day))]
    return found


def _content(published: PartitionVersion | None) -> str | None:
    """Return the version of what is published; what it was computed from may change without it."""
    return published.version if published else None
