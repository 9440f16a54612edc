"""What each account has paid."""

from datetime import timedelta

from feast import Entity, Field, ValueType
from feast.types import Float64

from airloom.stores.source import lake_view

account = Entity(name="account", join_keys=["account"], value_type=ValueType.STRING)

account_sums = lake_view(
    "account_sums",
    entities=[account],
    ttl=timedelta(days=7),
    schema=[Field(name="amount_sum", dtype=Float64)],
)
