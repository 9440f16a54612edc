"""What is known about a product of a shop at the end of a day; the SQL is in `sql/`."""

from datetime import timedelta

from feast import Entity, Field, ValueType
from feast.types import Float64, Int64

from airloom.stores.source import lake_view

shop = Entity(name="shop", join_keys=["shop"], value_type=ValueType.STRING)
product = Entity(name="product", join_keys=["product"], value_type=ValueType.STRING)

recent_sales = lake_view(
    "recent_sales",
    entities=[shop, product],
    ttl=timedelta(days=2),
    schema=[Field(name="sold_mean_5d", dtype=Float64), Field(name="days_sold_5d", dtype=Int64)],
)
