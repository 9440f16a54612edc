"""Feast's definitions of the views; the SQL is in `include/flights/sql/`."""

from datetime import timedelta

from feast import Entity, Field, ValueType
from feast.types import Float64, Int64, String

from airloom.stores.source import lake_view

carrier = Entity(name="carrier", join_keys=["carrier"], value_type=ValueType.STRING)
origin = Entity(name="origin", join_keys=["origin"], value_type=ValueType.STRING)
destination = Entity(name="destination", join_keys=["dest"], value_type=ValueType.STRING)
aircraft = Entity(name="aircraft", join_keys=["tailnum"], value_type=ValueType.STRING)

carrier_delays = lake_view(
    "carrier_delays",
    entities=[carrier],
    ttl=timedelta(days=7),
    schema=[
        Field(name="carrier_flights_1d", dtype=Int64),
        Field(name="carrier_flights_28d", dtype=Int64),
        Field(name="carrier_late_rate_7d", dtype=Float64),
        Field(name="carrier_late_rate_28d", dtype=Float64),
        Field(name="carrier_arr_delay_mean_7d", dtype=Float64),
    ],
)
origin_delays = lake_view(
    "origin_delays",
    entities=[origin],
    ttl=timedelta(days=7),
    schema=[
        Field(name="origin_late_rate_7d", dtype=Float64),
        Field(name="origin_dep_delay_mean_1d", dtype=Float64),
    ],
)
route_delays = lake_view(
    "route_delays",
    entities=[origin, destination],
    ttl=timedelta(days=28),
    schema=[Field(name="route_late_rate_28d", dtype=Float64)],
)
aircraft_delays = lake_view(
    "aircraft_delays",
    entities=[aircraft],
    ttl=timedelta(days=7),
    schema=[Field(name="aircraft_last_arr_delay", dtype=Float64)],
)
plane = lake_view(
    "plane",
    entities=[aircraft],
    ttl=timedelta(days=60),
    schema=[
        Field(name="plane_age", dtype=Int64),
        Field(name="plane_seats", dtype=Int64),
        Field(name="plane_manufacturer", dtype=String),
    ],
)
origin_weather = lake_view(
    "origin_weather",
    entities=[origin],
    ttl=timedelta(days=1),
    schema=[
        Field(name="weather_temp_last", dtype=Float64),
        Field(name="weather_temp_min_1d", dtype=Float64),
        Field(name="weather_precip_1d", dtype=Float64),
    ],
)
