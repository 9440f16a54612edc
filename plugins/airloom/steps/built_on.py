"""What was built on one published day of a table: features, labels, predictions and models."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from datetime import date
from typing import Any

from airloom.core.errors import DataError
from airloom.core.pipeline import Pipeline
from airloom.core.settings import Settings
from airloom.core.verdict import Verdict
from airloom.steps.outcomes import PREDICTIONS
from airloom.steps.readiness import LABELS, label_inputs, own_labels, scored_days
from airloom.stores.lake import Lake
from airloom.stores.ledger import Ledger

#: Days of tables, with the version of each.
Contents = dict[tuple[str, date], str]


def built_on(pipeline: Pipeline, table: str, day: date, version: str, settings: Settings) -> list[str]:
    """Find what was built on a version of a day and is published still, directly or by way of features.

    Args:
        pipeline: The declaration.
        table: The table of the lake, such as `raw.flights`.
        day: The day.
        version: Digest of its content.
        settings: Where lake and ledger are.

    Returns:
        Table and day of each, `features.carrier_delays 2013-02-03`, then models, `model version 3, champion`.
    """
    lake = Lake(settings.lake / pipeline.name)
    derived = _derived(pipeline, lake, table, day, version)
    contents = {(table, day): version} | derived
    if table == f"raw.{own_labels(pipeline)}" and (label := lake.partitions(LABELS).get(day)):
        contents[LABELS, day] = label.version
    predicted = _predicted(pipeline, lake, contents)
    found = [*(f"{name} {each}" for name, each in sorted(derived)), *(f"{PREDICTIONS} {each}" for each in predicted)]
    return [*found, *_models(pipeline, lake, contents, settings)]


def _derived(pipeline: Pipeline, lake: Lake, table: str, day: date, version: str) -> Contents:
    """Return features and labels whose commit says that they were computed from the content."""
    if not table.startswith("raw."):
        return {}
    name, reading = table.removeprefix("raw."), [f"features.{view}" for view in pipeline.features.views]
    found: Contents = {}
    for derived in [*reading, *([LABELS] if pipeline.label.sql else [])]:
        commit = lake.commit(derived)
        facts = {} if commit is None else lake.commit_facts(derived, commit)
        for each, published in lake.partitions(derived).items():
            if _read(facts.get(each, {}).get("reads", {}), name, day) == version:
                found[derived, each] = published.version
    return found


def _read(reads: Mapping[str, Any], table: str, day: date) -> str | None:
    """Return the version of a day that was read; what reads one table only does not say which."""
    by_day = reads.get(table, reads)
    found = by_day.get(day.isoformat())
    return found if isinstance(found, str) else None


def _predicted(pipeline: Pipeline, lake: Lake, contents: Contents) -> list[date]:
    read = {f"raw.{pipeline.score.entities}", *(f"features.{view}" for view in pipeline.features.views)}
    there = lake.partitions(PREDICTIONS)
    return sorted({day for table, day in contents if table in read and day in there})


def _models(pipeline: Pipeline, lake: Lake, contents: Contents, settings: Settings) -> list[str]:
    ledger = Ledger(settings.state_url)
    champion = ledger.head(pipeline.name)
    trained = {
        verdict.challenger.version: verdict
        for verdict in ledger.verdicts(pipeline.name)
        if _has_read(pipeline, lake, contents, verdict)
    }
    now = champion.version if champion else None
    return [f"model version {each}" + (", champion" if each == now else "") for each in sorted(trained)]


def _has_read(pipeline: Pipeline, lake: Lake, contents: Contents, verdict: Verdict) -> bool:
    """Tell whether a version was trained on any of the contents; of tables whose commit is gone nobody knows."""
    days = scored_days(pipeline, verdict.partition)
    read = dict.fromkeys(verdict.lake, days) | label_inputs(pipeline, days, verdict.partition)
    for (table, day), version in contents.items():
        if table in verdict.lake and day in read[table]:
            with suppress(DataError):
                then = lake.partitions(table, verdict.lake[table]).get(day)
                if then is not None and then.version == version:
                    return True
    return False
