"""The shipped pipeline over small synthetic raw tables."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from airloom.core.declaration import find_pipeline
from airloom.core.partitions import as_of
from airloom.core.pipeline import Pipeline
from airloom.core.settings import Settings
from airloom.stores.content import content_version
from airloom.stores.lake import Lake, PartitionVersion

PROJECT = Path(__file__).parents[2]
ZONE = "America/New_York"
#: The clocks of New York change in the night to the 10th.
START, DAY = date(2013, 3, 1), date(2013, 3, 12)
VIEWS = ("carrier_delays", "origin_delays", "route_delays", "aircraft_delays", "plane", "origin_weather")


def settings_at(folder: Path) -> Settings:
    return Settings(project=PROJECT, var=folder, state_url=f"sqlite:///{folder}/state/airloom.db")


def flight_pipeline(*views: str) -> Pipeline:
    pipeline = find_pipeline(PROJECT / "include", "flight_delays")
    kept = {name: view for name, view in pipeline.features.views.items() if name in (views or VIEWS)}
    return pipeline.model_copy(
        update={
            "features": pipeline.features.model_copy(update={"views": kept}),
            "schedule": pipeline.schedule.model_copy(update={"start": START}),
        }
    )


def lake_of(settings: Settings) -> Lake:
    return Lake(settings.lake / "flight_delays")


def publish(settings: Settings, table: str, day: date, rows: pd.DataFrame, degraded: bool = False) -> None:
    content = pa.Table.from_pandas(rows, preserve_index=False)
    version = PartitionVersion(partition=day, version=content_version(content), degraded=degraded)
    lake_of(settings).replace(f"raw.{table}", version, content)


def publish_days(settings: Settings, first: date, last: date) -> None:
    for count in range((last - first).days + 1):
        day = first + timedelta(days=count)
        publish(settings, "flights", day, flights(day))
        publish(settings, "weather", day, weather(day))
        publish(settings, "planes", day, planes(day))


def local(day: date, hour: float) -> datetime:
    return (pd.Timestamp(day, tz=ZONE) + pd.Timedelta(hours=hour)).tz_convert(UTC).to_pydatetime()


def flights(day: date, count: int = 12, delay: float | None = None) -> pd.DataFrame:
    random = np.random.default_rng(day.toordinal())
    delays = np.round(random.normal(10, 20, count)) if delay is None else np.full(count, delay)
    scheduled = [local(day, 6 + number) for number in range(count)]
    return pd.DataFrame(
        {
            "flight_id": [f"{day}/{number}" for number in range(count)],
            "scheduled_at": scheduled,
            "carrier": [("UA", "B6", "WN")[number % 3] for number in range(count)],
            "origin": [("EWR", "JFK")[number % 2] for number in range(count)],
            "dest": [("IAH", "MIA", "BOS", "ORD")[number % 4] for number in range(count)],
            "tailnum": [None if number == 5 else f"N{number % 4}" for number in range(count)],
            "dep_delay": delays,
            "arr_delay": delays,
            "cancelled": False,
            "known_at": [at + timedelta(hours=1) for at in scheduled],
            "late": (delays >= 15).astype(float),
        }
    )


def weather(day: date, temp: float = 10.0) -> pd.DataFrame:
    hours = list(range(24))
    return pd.DataFrame(
        {
            "origin": ["EWR"] * 24 + ["JFK"] * 24,
            "observed_at": [local(day, hour) for hour in hours] * 2,
            "temp": [temp + hour for hour in hours] * 2,
            "humid": 50.0,
            "wind_speed": 8.0,
            "precip": 0.1,
            "pressure": 1010.0,
            "visib": 10.0,
        }
    )


def planes(day: date) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "tailnum": [f"N{number}" for number in range(4)],
            "seen_at": as_of(day, ZONE),
            "year": [1999.0, 2004.0, 0.0, np.nan],
            "manufacturer": ["BOEING", "AIRBUS", None, "EMBRAER"],
            "engines": [2, 2, 2, 2],
            "seats": [149, 200, 55, 0],
        }
    )
