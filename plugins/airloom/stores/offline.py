"""The offline store: point-in-time joins over the lake that keep every row and know nothing too early."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any, Literal

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
from feast import FeatureView, OnDemandFeatureView, RepoConfig
from feast.infra.offline_stores.offline_store import OfflineStore, RetrievalJob, RetrievalMetadata
from feast.infra.registry.base_registry import BaseRegistry
from feast.repo_config import FeastConfigBaseModel
from feast.saved_dataset import SavedDatasetStorage
from pydantic import Field

from airloom.core.errors import DataError, UsageError
from airloom.core.partitions import day_range
from airloom.core.places import parse_place
from airloom.stores.content import exact_frame
from airloom.stores.lake import Lake
from airloom.stores.partition_columns import own_columns
from airloom.stores.point_in_time import Features, event_times, join_engine, join_features, newest_rows
from airloom.stores.source import LakeSource

_DAY = timedelta(days=1)
#: Above this, the days of a window are taken from the table's log instead of the calendar.
_LONG = timedelta(days=100)


class LakeOfflineStoreConfig(FeastConfigBaseModel):  # type: ignore[misc]
    """Where the lake is.

    Args:
        type: The store's class.
        lake: Folder of the pipeline's tables, or their prefix in a bucket.
        commits: Tables that are read as they were at a commit.
        left_out: Days of tables that are read as if they were not published.
    """

    type: Literal["airloom.stores.offline.LakeOfflineStore"] = "airloom.stores.offline.LakeOfflineStore"
    lake: str
    commits: dict[str, int] = Field(default_factory=dict)
    left_out: dict[str, list[date]] = Field(default_factory=dict)

    def open(self) -> Lake:
        """Return the lake."""
        return Lake(parse_place(self.lake), self.commits, self.left_out)


class LakeRetrievalJob(RetrievalJob):  # type: ignore[misc]
    """A query that runs when its result is asked for.

    Args:
        query: Runs it.
        full_feature_names: Whether features are named after their view too.
        on_demand_feature_views: What Feast computes from the result.
        metadata: What was asked for.
    """

    def __init__(
        self,
        query: Callable[[], pa.Table],
        full_feature_names: bool = False,
        on_demand_feature_views: Sequence[OnDemandFeatureView] = (),
        metadata: RetrievalMetadata | None = None,
    ) -> None:
        self._query = query
        self._full_feature_names = full_feature_names
        self._on_demand_feature_views = on_demand_feature_views
        self._metadata = metadata

    @property
    def full_feature_names(self) -> bool:
        """Whether features are named `view__feature`."""
        return self._full_feature_names

    @property
    def on_demand_feature_views(self) -> list[OnDemandFeatureView]:
        """What Feast computes from the result."""
        return list(self._on_demand_feature_views)

    @property
    def metadata(self) -> RetrievalMetadata | None:
        """What was asked for."""
        return self._metadata

    def to_df(self, validation_reference: Any = None, timeout: int | None = None) -> pd.DataFrame:
        """Return the result as a frame in which whole numbers stay whole, keys also where some are missing."""
        rows = self.to_arrow(validation_reference=validation_reference, timeout=timeout)
        return exact_frame(rows, self._metadata.keys if self._metadata else ())

    def _to_arrow_internal(self, timeout: int | None = None) -> pa.Table:
        return self._query()

    def _to_df_internal(self, timeout: int | None = None) -> pd.DataFrame:
        return exact_frame(self._query(), self._metadata.keys if self._metadata else ())

    def persist(self, storage: SavedDatasetStorage, allow_overwrite: bool = False, timeout: int | None = None) -> None:
        """Refuse: training sets are kept by the train stage, with their digest.

        Raises:
            UsageError: Always.
        """
        raise UsageError("The lake's offline store keeps no saved datasets.", do="use the result of to_df() instead")


class LakeOfflineStore(OfflineStore):  # type: ignore[misc]
    """Join features as of each row's own moment, from the published partitions that can matter."""

    supports_filter_by_created_timestamp = True

    @staticmethod
    def get_historical_features(
        config: RepoConfig,
        feature_views: list[FeatureView],
        feature_refs: list[str],
        entity_df: pd.DataFrame | str | None,
        registry: BaseRegistry,
        project: str,
        full_feature_names: bool = False,
        **kwargs: Any,
    ) -> LakeRetrievalJob:
        """Return a job whose result is `entity_df`, every row in its place, with the features known at its moment.

        A feature is joined when its as-of and the time at which it became known are at or before the row's event
        time; the newest as-of wins, then the newest knowledge; older than the view's TTL it is missing. Numbers and
        booleans come back as float64, whether any is missing or not; only whole numbers that float64 cannot hold stay
        whole. A row without a key has no features.

        Args:
            config: Feast's configuration.
            feature_views: The views that are asked for.
            feature_refs: The features, as `view:feature`.
            entity_df: The rows: join keys and `event_timestamp`, in UTC.
            registry: Feast's registry.
            project: The pipeline.
            full_feature_names: Whether to name features `view__feature`.
            kwargs: `filter_by_created_timestamp`, which is always on here.

        Raises:
            UsageError: The rows are not given as a data frame.
        """
        if not isinstance(entity_df, pd.DataFrame):
            raise UsageError("Features are joined to a data frame.", found=type(entity_df).__name__)
        rows = pa.Table.from_pandas(entity_df, preserve_index=False)
        moments = event_times(rows)
        lake = config.offline_store.open()
        query = partial(_join, lake, feature_views, feature_refs, rows, moments, full_feature_names)
        keys = {name for view in feature_views for name in _join_keys(view).values()}
        metadata = RetrievalMetadata(features=feature_refs, keys=sorted(keys))
        on_demand = OnDemandFeatureView.get_requested_odfvs(feature_refs, project, registry)
        return LakeRetrievalJob(query, full_feature_names, on_demand, metadata)

    @staticmethod
    def pull_latest_from_table_or_query(
        config: RepoConfig,
        data_source: LakeSource,
        join_key_columns: list[str],
        feature_name_columns: list[str],
        timestamp_field: str,
        created_timestamp_column: str | None,
        start_date: datetime,
        end_date: datetime,
    ) -> LakeRetrievalJob:
        """Return a job whose result is every entity's newest row in a window that includes both its ends."""
        lake = config.offline_store.open()
        order = [timestamp_field, *([created_timestamp_column] if created_timestamp_column else [])]
        columns = [*join_key_columns, *feature_name_columns, *order]

        def query() -> pa.Table:
            rows = _read(lake, data_source.table, columns, timestamp_field, start_date, end_date)
            return newest_rows(rows, join_key_columns, order)

        return LakeRetrievalJob(query)

    @staticmethod
    def pull_all_from_table_or_query(
        config: RepoConfig,
        data_source: LakeSource,
        join_key_columns: list[str],
        feature_name_columns: list[str],
        timestamp_field: str,
        created_timestamp_column: str | None = None,
        start_date: datetime | None = None,
        end_date: datetime | None = None,
    ) -> LakeRetrievalJob:
        """Return a job whose result is every row in a window that includes both its ends, where it has any."""
        lake = config.offline_store.open()
        order = [timestamp_field, *([created_timestamp_column] if created_timestamp_column else [])]
        columns = [*join_key_columns, *feature_name_columns, *order]
        return LakeRetrievalJob(partial(_read, lake, data_source.table, columns, timestamp_field, start_date, end_date))


def _join(
    lake: Lake,
    views: Sequence[FeatureView],
    refs: Sequence[str],
    rows: pa.Table,
    moments: pa.ChunkedArray,
    full_names: bool,
) -> pa.Table:
    with join_engine() as engine:
        for view in views:
            features = _features(lake, view, refs, moments, full_names)
            rows = join_features(engine, rows, moments, features)
    return rows


def _features(
    lake: Lake, view: FeatureView, refs: Sequence[str], moments: pa.ChunkedArray, full_names: bool
) -> Features:
    """Read what a view can contribute to rows of these moments."""
    source, prefix = view.batch_source, view.projection.name_to_use()
    wanted = [name for owner, _, name in (ref.partition(":") for ref in refs) if owner == prefix]
    types = {field.name: field.dtype.to_value_type().name for field in view.features}
    first, last = _span(moments)
    oldest = first - view.ttl if first and view.ttl else None
    columns = [*_join_keys(view), *wanted, source.timestamp_field, source.created_timestamp_column]
    return Features(
        view=prefix,
        rows=_read(lake, source.table, columns, source.timestamp_field, oldest, last),
        keys=_join_keys(view),
        names={name: f"{prefix}__{name}" if full_names else name for name in wanted},
        types={name: types[name] for name in wanted},
        as_of=source.timestamp_field,
        known_at=source.created_timestamp_column,
        ttl=view.ttl or None,
    )


def _join_keys(view: FeatureView) -> dict[str, str]:
    """Return the view's join keys and the columns of the rows that they are joined to."""
    names = [str(field.name) for field in view.entity_columns]
    return {name: view.projection.join_key_map.get(name, name) for name in names}


def _span(moments: pa.ChunkedArray) -> tuple[datetime | None, datetime | None]:
    span = pc.min_max(moments).as_py()
    return span["min"], span["max"]


def _read(
    lake: Lake, table: str, columns: Sequence[str], timestamp: str, first: datetime | None, last: datetime | None
) -> pa.Table:
    """Read the rows of a table whose event time lies in a window, from the partitions that can hold them."""
    dataset = lake.dataset(table, _days(lake, table, first, last))
    if dataset is None:
        raise DataError(f"The lake has no table {table}.", where=str(lake.path(table)), do="run the features stage")
    own = own_columns(dataset.schema.names)
    if not own:
        return _never_filled(columns, timestamp)
    absent = [name for name in columns if name not in own]
    if absent:
        raise DataError(
            f"The table {table} lacks columns that the feature view declares.",
            where=f"feature view of {table}",
            found=", ".join(own),
            expected=", ".join(absent),
            do="make the view's SQL and its schema agree, then run: airloom apply",
        )
    condition = None
    for bound, compare in ((first, ds.Expression.__ge__), (last, ds.Expression.__le__)):
        if bound is not None:
            inside = compare(ds.field(timestamp), pa.scalar(bound.astimezone(UTC), pa.timestamp("us", "UTC")))
            condition = inside if condition is None else condition & inside
    return dataset.to_table(columns=list(dict.fromkeys(columns)), filter=condition)


def _never_filled(columns: Sequence[str], timestamp: str) -> pa.Table:
    """Return no rows of a table that never had one, and whose columns have no types yet."""
    types = dict.fromkeys(columns, pa.null()) | {timestamp: pa.timestamp("us", "UTC")}
    return pa.schema(list(types.items())).empty_table()


def _days(lake: Lake, table: str, first: datetime | None, last: datetime | None) -> list[date]:
    """Return the partitions that can hold event times of a window: a day ends less than a day from its UTC date."""
    if first and last and last - first < _LONG:
        return day_range(first.astimezone(UTC).date() - _DAY, last.astimezone(UTC).date())
    published = sorted(lake.partitions(table))
    earliest = first.astimezone(UTC).date() - _DAY if first else date.min
    latest = last.astimezone(UTC).date() if last else date.max
    return [day for day in published if earliest <= day <= latest]
