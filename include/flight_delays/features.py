"""What is known about carriers, routes, hours and flight numbers at the end of a day; the SQL is in `sql/`."""

from __future__ import annotations

from datetime import timedelta

from feast import Entity, Field, ValueType
from feast.types import Float64

from airloom.stores.source import lake_view

carrier = Entity(name="carrier", join_keys=["carrier"], value_type=ValueType.STRING)
origin = Entity(name="origin", join_keys=["origin"], value_type=ValueType.STRING)
destination = Entity(name="destination", join_keys=["dest"], value_type=ValueType.STRING)
hour = Entity(name="hour", join_keys=["departure_hour"], value_type=ValueType.INT64)
number = Entity(name="number", join_keys=["flight"], value_type=ValueType.INT64)

carrier_delays = lake_view(
    "carrier_delays",
    entities=[carrier],
    ttl=timedelta(days=7),
    schema=[Field(name="carrier_late_rate_28d", dtype=Float64)],
)

route_delays = lake_view(
    "route_delays",
    entities=[origin, destination],
    ttl=timedelta(days=28),
    schema=[Field(name="route_late_rate_28d", dtype=Float64)],
)

hour_delays = lake_view(
    "hour_delays",
    entities=[origin, hour],
    ttl=timedelta(days=28),
    schema=[Field(name="hour_late_rate_28d", dtype=Float64)],
)

number_delays = lake_view(
    "number_delays",
    entities=[carrier, number, origin],
    ttl=timedelta(days=28),
    schema=[
        Field(name="number_late_rate_20", dtype=Float64),
        Field(name="number_last_late", dtype=Float64),
    ],
)
