"""A small pipeline with two tables, as a user would write it, for the tests of the ingest steps."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pandas as pd

from airloom.core.pipeline import Pipeline
from airloom.core.settings import Settings
from airloom.steps.extract import extract
from airloom.steps.validate import validate
from tests.worlds.installation import declaration, project_at

DAY = date(2013, 2, 10)

TRIPS = """
- {expectation: expect_column_values_to_not_be_null, severity: critical, column: trip_id}
- {expectation: expect_column_values_to_be_unique, severity: critical, column: trip_id}
- {expectation: expect_column_values_to_be_between, severity: critical, column: minutes, min_value: 0, max_value: 100}
- {expectation: expect_column_values_to_not_be_null, severity: warning, column: rider, mostly: 0.9}
- {expectation: expect_column_mean_to_be_between, severity: info, column: minutes, max_value: 60}
"""
STATIONS = "- {expectation: expect_column_values_to_be_unique, severity: critical, column: station}\n"


def trips_pipeline(**changes) -> Pipeline:
    """Declare the pipeline; `changes` replace whole sections."""
    trips = {"key": ["trip_id"], "time": "started_at", "known_at": "ended_at", "expectations": "trips.yaml"}
    stations = {"key": ["station"], "time": "seen_at", "known_at": "seen_at", "expectations": "stations.yaml"}
    declared = declaration(
        "toy",
        schedule={"nightly": "02:00", "timezone": "UTC", "start": date(2013, 1, 1), "end": date(2013, 12, 30)},
        source="tests.worlds.trips:source",
        tables={"trips": {**trips, "quarantine": {"max_share": 0.1}}, "stations": stations},
        features={"module": "none", "views": {"v": {"reads": "trips", "window": "7d", "sql": "v.sql"}}},
        label={"table": "trips", "column": "late", "horizon": "1d"},
        score={"entities": "stations"},
    )
    return Pipeline.model_validate(declared | changes)


def installation(folder: Path, trips: str = TRIPS, stations: str = STATIONS) -> Settings:
    """Write the suites and return the settings of an installation below a folder."""
    settings = project_at(folder)
    (settings.include / "toy").mkdir(parents=True, exist_ok=True)
    (settings.include / "toy" / "trips.yaml").write_text(trips)
    (settings.include / "toy" / "stations.yaml").write_text(stations)
    return settings


def source(partition: date) -> dict[str, pd.DataFrame]:
    """Return the tables of a day: the function that the pipeline names."""
    return ordinary_day(partition)


def ordinary_day(partition: date) -> dict[str, pd.DataFrame]:
    """Return 40 trips and 3 stations."""
    start = datetime(partition.year, partition.month, partition.day, tzinfo=UTC)
    trips = pd.DataFrame(
        {
            "trip_id": [f"{partition}/{number:03}" for number in range(40)],
            "started_at": [start + timedelta(minutes=number) for number in range(40)],
            "ended_at": [start + timedelta(minutes=number + 20) for number in range(40)],
            "minutes": [20.0 + number for number in range(40)],
            "rider": ["secret-rider"] * 40,
            "late": [0.0, 1.0] * 20,
        }
    )
    return {"trips": trips, "stations": pd.DataFrame({"station": list("abc"), "seen_at": start + timedelta(days=1)})}


def returning(monkeypatch, **tables: pd.DataFrame) -> None:
    """Let the source return other rows than usual for some tables."""
    monkeypatch.setattr("tests.worlds.trips.source", lambda partition: ordinary_day(partition) | tables)


def staged(settings: Settings, pipeline: Pipeline | None = None) -> None:
    """Extract the day."""
    extract(pipeline or trips_pipeline(), DAY, settings)


def audits(settings: Settings, pipeline: Pipeline | None = None) -> list:
    """Audit every table of the day."""
    pipeline = pipeline or trips_pipeline()
    return [validate(pipeline, DAY, table, settings) for table in pipeline.tables]
