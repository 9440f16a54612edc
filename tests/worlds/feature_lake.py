"""A small pipeline with two feature views, and a lake and feature store for it."""

import os
import shutil
import tempfile
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path

import pandas as pd
import pyarrow as pa
from feast import Entity, FeatureStore, FeatureView, Field, ValueType
from feast.types import Float64, Int64, String

from airloom.core.partitions import as_of
from airloom.core.pipeline import Pipeline
from airloom.core.settings import Settings
from airloom.stores.features import apply_features, open_feature_store
from airloom.stores.source import lake_view
from tests.worlds.installation import declaration, publish, settings_at

ZONE = "America/New_York"
DAY = date(2024, 3, 1)
TTL = timedelta(days=5)


def small_pipeline(name: str = "small") -> Pipeline:
    table = {"key": ["id"], "time": "at", "known_at": "known_at", "expectations": "none.yaml"}
    views = {view: {"reads": "trips", "window": "7d", "sql": f"{view}.sql"} for view in ("driver", "leg")}
    declared = declaration(
        name,
        schedule={"nightly": "02:00", "timezone": ZONE, "start": DAY - timedelta(days=60)},
        tables={"trips": table},
        features={"module": "none", "views": views},
        label={"table": "trips", "column": "late", "horizon": "1d"},
        score={"entities": "trips"},
    )
    return Pipeline.model_validate(declared)


def definitions() -> list[Entity | FeatureView]:
    driver = Entity(name="driver", join_keys=["driver_id"], value_type=ValueType.STRING)
    start = Entity(name="start", join_keys=["start"], value_type=ValueType.STRING)
    end = Entity(name="end", join_keys=["end_zone"], value_type=ValueType.INT64)
    rates = [Field(name="rate", dtype=Float64), Field(name="trips", dtype=Int64), Field(name="home", dtype=String)]
    return [
        driver,
        start,
        end,
        lake_view("driver", entities=[driver], ttl=TTL, schema=rates),
        lake_view("leg", entities=[start, end], ttl=TTL, schema=[Field(name="minutes", dtype=Float64)]),
    ]


def open_small(settings: Settings) -> FeatureStore:
    shutil.copytree(_applied() / "var" / "state", settings.var / "state")
    return open_feature_store(small_pipeline(), settings)


@cache
def _applied() -> Path:
    """Applying the definitions takes longer than most tests: it is done once, and copied."""
    folder = Path(tempfile.mkdtemp(dir=os.environ["AIRFLOW_HOME"]))
    apply_features(small_pipeline(), settings_at(folder), definitions())
    return folder


def drivers(day: date, rates: dict[str, float | None], known_at: datetime | None = None) -> pa.Table:
    """Features of drivers as of a day: a rate, ten times it as a count, a home."""
    moment = as_of(day, ZONE)
    names, values = list(rates), list(rates.values())
    return pa.table(
        {
            "driver_id": pa.array(names, pa.string()),
            "rate": pa.array(values, pa.float64()),
            "trips": pa.array([None if value is None else int(value * 10) for value in values], pa.int64()),
            "home": pa.array([f"home of {name}" for name in names], pa.string()),
            "as_of": pa.array([moment] * len(names), pa.timestamp("us", "UTC")),
            "known_at": pa.array([known_at or moment] * len(names), pa.timestamp("us", "UTC")),
        }
    )


def legs(day: date, minutes: dict[tuple[str, int], float]) -> pa.Table:
    moment = pa.array([as_of(day, ZONE)] * len(minutes), pa.timestamp("us", "UTC"))
    return pa.table(
        {
            "start": pa.array([start for start, _ in minutes], pa.string()),
            "end_zone": pa.array([end for _, end in minutes], pa.int64()),
            "minutes": pa.array(list(minutes.values()), pa.float64()),
            "as_of": moment,
            "known_at": moment,
        }
    )


def publish_view(settings: Settings, view: str, day: date, rows: pa.Table, pipeline: str = "small") -> None:
    publish(settings, pipeline, f"features.{view}", day, rows)


def asked(moment: datetime | date, drivers: list[str | None]) -> pd.DataFrame:
    moment = as_of(moment, ZONE) if not isinstance(moment, datetime) else moment
    return pd.DataFrame({"driver_id": drivers, "event_timestamp": pd.Timestamp(moment).tz_convert(UTC)})


def online(store: FeatureStore, drivers: list[str], feature: str = "driver:rate") -> list[object]:
    answer = store.get_online_features([feature], [{"driver_id": driver} for driver in drivers]).to_dict()
    return list(answer[feature.partition(":")[2]])


def write_window(store: FeatureStore, first: date, last: date | None = None, view: str = "driver") -> None:
    store.materialize(as_of(first, ZONE), as_of(last or first, ZONE), feature_views=[view])
