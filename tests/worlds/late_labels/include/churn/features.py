"""What is known about customers at the end of a day; the SQL is in `sql/`."""

from datetime import timedelta

from feast import Entity, Field, ValueType
from feast.types import Float64, Int64

from airloom.stores.source import lake_view

customer = Entity(name="customer", join_keys=["customer_id"], value_type=ValueType.STRING)

habits = lake_view(
    "habits",
    entities=[customer],
    ttl=timedelta(days=7),
    schema=[Field(name="visits_mean_3d", dtype=Float64)],
)
# Yesterday's profile is none: who has deleted it has none.
profile = lake_view("profile", entities=[customer], ttl=timedelta(hours=12), schema=[Field(name="age", dtype=Int64)])
