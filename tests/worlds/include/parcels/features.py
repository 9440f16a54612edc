"""What is known about couriers and depots at the end of a day; the SQL is in `sql/`."""

from datetime import timedelta

from feast import Entity, Field, ValueType
from feast.types import Float64, Int64

from airloom.stores.source import lake_view

courier = Entity(name="courier", join_keys=["courier"], value_type=ValueType.STRING)
depot = Entity(name="depot", join_keys=["depot"], value_type=ValueType.STRING)

courier_delays = lake_view(
    "courier_delays",
    entities=[courier],
    ttl=timedelta(days=7),
    schema=[Field(name="courier_parcels_3d", dtype=Int64), Field(name="courier_late_rate_3d", dtype=Float64)],
)
depot_delays = lake_view(
    "depot_delays",
    entities=[depot],
    ttl=timedelta(days=7),
    schema=[Field(name="depot_delay_mean_2d", dtype=Float64)],
)
depot_traffic = lake_view(
    "depot_traffic",
    entities=[depot],
    ttl=timedelta(days=7),
    schema=[Field(name="depot_speed_last", dtype=Float64)],
)
