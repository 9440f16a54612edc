"""How often each store's sales were returned."""

from datetime import timedelta

from feast import Entity, Field, ValueType
from feast.types import Float64, Int64

from airloom.stores.source import lake_view

store = Entity(name="store", join_keys=["store"], value_type=ValueType.STRING)

store_returns = lake_view(
    "store_returns",
    entities=[store],
    ttl=timedelta(days=7),
    schema=[Field(name="store_sales", dtype=Int64), Field(name="store_return_rate", dtype=Float64)],
)
