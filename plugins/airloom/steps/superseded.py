"""Superseded data: what a training has read that is published with other content now."""

from __future__ import annotations

from contextlib import suppress

from airloom.core.errors import DataError
from airloom.core.pipeline import Pipeline
from airloom.core.verdict import Verdict
from airloom.steps.readiness import label_days, label_table, scored_days
from airloom.stores.lake import Lake


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
    read = dict.fromkeys(verdict.lake, days)
    read[label_table(pipeline)] = sorted({*days, *label_days(pipeline, days, verdict.partition)})
    found: list[str] = []
    for table, commit in verdict.lake.items():
        with suppress(DataError):
            then, now = lake.partitions(table, commit), lake.partitions(table)
            found += [f"{table} {day}" for day in read[table] if then.get(day) != now.get(day)]
    return found
