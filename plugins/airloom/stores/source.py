"""The Feast data source of a table in the lake, and the short way to declare a feature view over it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from typing import Any

from feast import Entity, FeatureView, Field, RepoConfig, ValueType
from feast.data_source import DataSource
from feast.protos.feast.core.DataSource_pb2 import DataSource as DataSourceProto
from feast.type_map import pa_to_feast_value_type
from feast.types import from_value_type

from airloom.stores.point_in_time import AS_OF, KNOWN_AT


class LakeSource(DataSource):  # type: ignore[misc]
    """Name a table of the pipeline's lake as the source of a feature view.

    Args:
        table: The table, such as `features.carrier_delays`.
        name: Name in the registry; the table's by default.
        description: What the table holds.
        tags: Anything else that the registry should keep.
        owner: Who answers for it.
    """

    def __init__(
        self,
        *,
        table: str,
        name: str = "",
        description: str = "",
        tags: dict[str, str] | None = None,
        owner: str = "",
    ) -> None:
        super().__init__(
            name=name or table,
            timestamp_field=AS_OF,
            created_timestamp_column=KNOWN_AT,
            description=description,
            tags=tags,
            owner=owner,
        )
        self.table = table

    def __eq__(self, other: object) -> bool:
        return isinstance(other, LakeSource) and self.table == other.table and bool(super().__eq__(other))

    def __hash__(self) -> int:
        return int(super().__hash__())

    @staticmethod
    def from_proto(data_source: DataSourceProto) -> LakeSource:
        """Read the source back from the registry."""
        return LakeSource(
            table=json.loads(data_source.custom_options.configuration)["table"],
            name=data_source.name,
            description=data_source.description,
            tags=dict(data_source.tags),
            owner=data_source.owner,
        )

    def _to_proto_impl(self) -> DataSourceProto:
        options = DataSourceProto.CustomSourceOptions(configuration=json.dumps({"table": self.table}).encode())
        return DataSourceProto(
            name=self.name,
            type=DataSourceProto.CUSTOM_SOURCE,
            data_source_class_type=f"{type(self).__module__}.{type(self).__qualname__}",
            custom_options=options,
            timestamp_field=self.timestamp_field,
            created_timestamp_column=self.created_timestamp_column,
            description=self.description,
            tags=self.tags,
            owner=self.owner,
        )

    def source_type(self) -> Any:
        """Return Feast's type for sources that it does not know itself."""
        return DataSourceProto.CUSTOM_SOURCE

    def validate(self, config: RepoConfig) -> None:
        """Accept a table that is not there yet: definitions are applied before the first partition is published."""

    def get_table_query_string(self) -> str:
        """Return the table's name."""
        return self.table

    def get_table_column_names_and_types(self, config: RepoConfig) -> Iterable[tuple[str, str]]:
        """List nothing: every field is declared, none is guessed from data."""
        return []

    @staticmethod
    def source_datatype_to_feast_value_type() -> Callable[[str], ValueType]:
        """Return the function that maps Arrow's type names to Feast's types."""
        converter: Callable[[str], ValueType] = pa_to_feast_value_type
        return converter


def lake_view(name: str, entities: Sequence[Entity], ttl: timedelta, schema: Sequence[Field]) -> FeatureView:
    """Declare the Feast feature view of a view of `pipeline.yaml`.

    Args:
        name: The view's name in the declaration.
        entities: Whom the features describe; their join keys are columns of the view's SQL.
        ttl: The age at which a feature is as good as missing.
        schema: The features, without the join keys.
    """
    keys = [Field(name=entity.join_key, dtype=from_value_type(entity.value_type)) for entity in entities]
    return FeatureView(
        name=name,
        entities=list(entities),
        ttl=ttl,
        schema=[*keys, *schema],
        source=LakeSource(table=f"features.{name}"),
    )
