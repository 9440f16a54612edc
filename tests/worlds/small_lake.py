"""A real small lake of flights and their carriers' rates, for the pipeline of the nights, with its feature store."""

from collections.abc import Iterable
from datetime import date, timedelta

import numpy as np
import pandas as pd

from airloom.core.partitions import as_of
from airloom.core.settings import Settings
from airloom.stores.feast_loading import load_feast
from tests.worlds.installation import publish
from tests.worlds.nights import pipeline_with

START = date(2024, 1, 1)
CARRIERS = ["UA", "B6", "WN"]
PIPELINE = pipeline_with()
ZONE = PIPELINE.schedule.timezone


def flights_on(day, rows=20):
    random = np.random.default_rng(day.toordinal())
    return pd.DataFrame(
        {
            "flight_id": [f"{day}/{number:02}" for number in range(rows)],
            "scheduled_at": pd.Timestamp(as_of(day, ZONE)) - pd.Timedelta(hours=6),
            "carrier": random.choice(CARRIERS, rows),
            "distance": random.integers(90, 4000, rows),
            "known_at": pd.Timestamp(as_of(day, ZONE)) - pd.Timedelta(hours=1),
            "late": np.arange(rows) % 2.0,
        }
    )


def schedule_on(day, rows=20):
    """The flights of the day after, as they are known at the end of the day."""
    planned = flights_on(day + timedelta(days=1), rows).drop(columns="late")
    return planned.assign(known_at=pd.Timestamp(as_of(day, ZONE)))


def rates_on(day):
    """Every carrier's rate says which day it is of, so that a test can see from when a feature is."""
    rates = [day.day / 100 + place / 1000 for place, _ in enumerate(CARRIERS)]
    moment = pd.Timestamp(as_of(day, ZONE))
    return pd.DataFrame({"carrier": CARRIERS, "late_rate": rates, "as_of": moment, "known_at": moment})


def publish_days(settings: Settings, days: Iterable[date], rows: int = 20) -> None:
    """Publish flights and rates of days, and define the view for Feast."""
    load_feast()
    from feast import Entity, Field, ValueType
    from feast.types import Float64

    from airloom.stores.features import apply_features
    from airloom.stores.source import lake_view

    for day in days:
        publish(settings, "late", "raw.flights", day, flights_on(day, rows))
        publish(settings, "late", "raw.schedule", day, schedule_on(day, rows))
        publish(settings, "late", "features.carrier_delays", day, rates_on(day))
    carrier = Entity(name="carrier", join_keys=["carrier"], value_type=ValueType.STRING)
    rate = Field(name="late_rate", dtype=Float64)
    apply_features(PIPELINE, settings, [carrier, lake_view("carrier_delays", [carrier], timedelta(days=3), [rate])])
