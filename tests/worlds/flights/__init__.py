"""A pipeline with six views over small synthetic raw tables, for the steps that compute, materialize and score."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd

from airloom.core.declaration import find_pipeline
from airloom.core.partitions import as_of, day_range
from airloom.core.pipeline import Pipeline
from airloom.core.settings import Settings
from airloom.stores.lake import Lake
from tests.worlds.installation import publish, settings_at

NAME = "flights"
FOLDER = Path(__file__).parent
ZONE = "America/New_York"
#: The clocks of New York change in the night to the 10th.
START, DAY = date(2013, 3, 1), date(2013, 3, 12)
VIEWS = ("carrier_delays", "origin_delays", "route_delays", "aircraft_delays", "plane", "origin_weather")


def flights_at(folder: Path) -> Settings:
    """Return the settings of an installation whose project is this folder."""
    return settings_at(folder, project=FOLDER)


def flight_pipeline(*views: str) -> Pipeline:
    """Return the pipeline, with some of its views only if they are named."""
    pipeline = find_pipeline(FOLDER / "include", NAME)
    kept = {name: view for name, view in pipeline.features.views.items() if name in (views or VIEWS)}
    return pipeline.model_copy(update={"features": pipeline.features.model_copy(update={"views": kept})})


def lake_of(settings: Settings) -> Lake:
    return Lake(settings.lake / NAME)


def publish_raw(settings: Settings, table: str, day: date, rows: pd.DataFrame, degraded: bool = False) -> None:
    publish(settings, NAME, f"raw.{table}", day, rows, degraded)


def publish_days(settings: Settings, first: date, last: date) -> None:
    """Publish all that features are made of."""
    for day in day_range(first, last):
        publish_raw(settings, "flights", day, flights(day))
        publish_raw(settings, "weather", day, weather(day))
        publish_raw(settings, "planes", day, planes(day))


def extract(partition: date) -> dict[str, pd.DataFrame]:
    """Return the tables of a day: the function that the pipeline names."""
    return {
        "flights": flights(partition),
        "weather": weather(partition),
        "planes": planes(partition),
        "schedule": schedule(partition),
    }


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
            "known_at": [at + timedelta(hours=1) for at in scheduled],
            "late": (delays >= 15).astype(float),
        }
    )


def schedule(day: date) -> pd.DataFrame:
    """Return tomorrow's flights, which are scored."""
    tomorrow = flights(day + timedelta(days=1))[["flight_id", "scheduled_at", "carrier", "origin", "dest", "tailnum"]]
    return tomorrow.assign(distance=1000, announced_at=as_of(day, ZONE))


def weather(day: date, temp: float = 10.0) -> pd.DataFrame:
    hours = list(range(24))
    return pd.DataFrame(
        {
            "origin": ["EWR"] * 24 + ["JFK"] * 24,
            "observed_at": [local(day, hour) for hour in hours] * 2,
            "temp": [temp + hour for hour in hours] * 2,
            "precip": 0.1,
        }
    )


def planes(day: date) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "tailnum": [f"N{number}" for number in range(4)],
            "seen_at": as_of(day, ZONE),
            "year": [1999.0, 2004.0, 0.0, np.nan],
            "manufacturer": ["BOEING", "AIRBUS", None, "EMBRAER"],
            "seats": [149, 200, 55, 0],
        }
    )
