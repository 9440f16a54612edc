"""What is known about a sender's domain at the end of a day; the SQL is in `sql/`."""

from datetime import timedelta

from feast import Entity, Field, ValueType
from feast.types import Float64, Int64

from airloom.stores.source import lake_view

domain = Entity(name="domain", join_keys=["domain"], value_type=ValueType.STRING)

domains = lake_view(
    "domains",
    entities=[domain],
    ttl=timedelta(days=2),
    schema=[Field(name="links_mean_3d", dtype=Float64), Field(name="messages_3d", dtype=Int64)],
)
