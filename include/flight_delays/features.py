"""What is known about flight numbers and aircraft at the end of a day; the SQL is in `sql/`."""

from __future__ import annotations

from datetime import timedelta

from feast import Entity, Field, ValueType
from feast.types import Float64

from airloom.stores.source import lake_view

carrier = Entity(name="carrier", join_keys=["carrier"], value_type=ValueType.STRING)
number = Entity(name="number", join_keys=["flight"], value_type=ValueType.INT64)
origin = Entity(name="origin", join_keys=["origin"], value_type=ValueType.STRING)
aircraft = Entity(name="aircraft", join_keys=["tailnum"], value_type=ValueType.STRING)

number_delays = lake_view(
    "number_delays",
    entities=[carrier, number, origin],
    ttl=timedelta(days=28),
    schema=[
        Field(name="number_late_rate_20", dtype=Float64),
        Field(name="number_arr_delay_mean_20", dtype=Float64),
        Field(name="number_last_late", dtype=Float64),
    ],
)

aircraft_delays = lake_view(
    "aircraft_delays",
    entities=[aircraft],
    ttl=timedelta(days=7),
    schema=[
        Field(name="aircraft_late_rate_28d", dtype=Float64),
        Field(name="aircraft_last_arr_delay", dtype=Float64),
    ],
)
