"""What is known of a cellar at the end of a day; the SQL is in `sql/`."""

from datetime import timedelta

from feast import Entity, Field, ValueType
from feast.types import Float64

from airloom.stores.source import lake_view

cellar = Entity(name="cellar", join_keys=["partition"], value_type=ValueType.STRING)

cellars = lake_view(
    "cellars",
    entities=[cellar],
    ttl=timedelta(days=2),
    schema=[Field(name="inputs", dtype=Float64), Field(name="version", dtype=Float64)],
)
