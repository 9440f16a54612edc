"""A pipeline folder, a lake and audits, and two versions trained on two nights with something changed in between."""

import json
from datetime import date, timedelta

import pyarrow as pa

from airloom.core.declaration import find_pipeline
from airloom.core.settings import Settings
from airloom.steps.fit import fit
from airloom.stores.lake import Lake
from airloom.stores.models import ModelRegistry
from airloom.stores.validations import ValidationResults
from tests.worlds.installation import publish
from tests.worlds.nights import NIGHT, declaration_with, example_rows, training_set

FIRST, SECOND = NIGHT, NIGHT + timedelta(days=1)
CORRECTED, HELD_BACK = NIGHT - timedelta(days=3), NIGHT - timedelta(days=1)
BETWEEN = """
- expectation: expect_column_values_to_be_between
  severity: critical
  column: distance
  min_value: 0
  max_value: %s
"""


def declare(settings: Settings, candidates: dict, most: int = 5000, sql: str = "select 1", **gate):
    """Write the pipeline's folder and read the declaration from it."""
    folder = settings.include / "late"
    folder.mkdir(parents=True, exist_ok=True)
    declared = declaration_with(**candidates)
    declared["gate"] |= gate
    (folder / "pipeline.yaml").write_text(json.dumps(declared, default=str))
    (folder / "none.yaml").write_text(BETWEEN % most)
    (folder / "none.sql").write_text(sql)
    (folder / "features.py").write_text("# Feast's definitions\n")
    return find_pipeline(settings.include, "late")


def publish_audited(
    settings: Settings, table: str, day: date, content: str, outcome: str = "passed", held_back: int = 0
) -> None:
    """Publish a day of raw data with the audit that let it through."""
    failed = {
        "expectation": "expect_column_values_to_be_between",
        "arguments": {"column": "distance"},
        "outcome": "failed",
    }
    audit = {"outcome": outcome, "results": [] if outcome == "passed" else [failed]}
    result = ValidationResults(settings.validations).write("late", table, day, audit)
    facts = {"validation": result, "quarantined_rows": held_back}
    publish(settings, "late", table, day, pa.table({"content": [content]}), outcome == "degraded", facts)


def trained(settings: Settings, pipeline, candidate: str, night: date, rows=None) -> int:
    """Train and register a version on what is published."""
    rows = example_rows(night=night) if rows is None else rows
    lake = Lake(settings.lake / "late")
    commits = {table: lake.commit(table) for table in ("raw.flights", "features.carrier_delays")}
    training = training_set(pipeline, settings, rows, night).model_copy(update={"lake": commits})
    return ModelRegistry(settings, "late").register(fit(pipeline, night, candidate, training, settings).run_id, {})


def two_versions(settings: Settings, before: dict, after: dict) -> tuple[int, int]:
    """Train a version, correct a day, change the folder, publish one more day, and train another version."""
    for back in range(6, 0, -1):
        publish_day(settings, FIRST - timedelta(days=back), "first")
    old = trained(settings, declare(settings, {"one": before}), "one", FIRST)
    publish_audited(settings, "raw.flights", CORRECTED, "corrected", "degraded")
    publish_day(settings, FIRST, "first")
    publish_audited(settings, "raw.flights", HELD_BACK, "first", "quarantined", held_back=3)
    publish_audited(settings, "raw.flights", HELD_BACK, "without bad rows", "quarantined", held_back=3)
    changed = declare(
        settings, {"one": after}, most=6000, sql="select 2", slices={"by": ["carrier"], "max_regression": 0.1}
    )
    return old, trained(settings, changed, "one", SECOND, example_rows(seed=2, night=SECOND))


def publish_day(settings: Settings, day: date, content: str) -> None:
    publish_audited(settings, "raw.flights", day, content)
    publish(settings, "late", "features.carrier_delays", day, pa.table({"content": [f"features of {content}"]}))
