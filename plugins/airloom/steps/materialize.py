"""materialize: computed features into the online store, through Feast."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import redirect_stdout
from datetime import date
from io import StringIO

from airloom.core.errors import DataError
from airloom.core.partitions import as_of
from airloom.core.pipeline import Pipeline
from airloom.core.records import Dataset, Materialized
from airloom.core.settings import Settings
from airloom.stores.features import open_feature_store
from airloom.stores.lake import Lake


def materialize(pipeline: Pipeline, partition: date, settings: Settings, days: Sequence[date] = ()) -> Materialized:
    """Make the online store what the lake says of a partition, and of other days that were computed again.

    Every view is written once, for the window from the first of the days to the last one. An entity's row is never
    replaced by one with an older event time, so that days may come in any order.

    Args:
        pipeline: The declaration, whose features have been applied.
        partition: The day.
        settings: Where lake, registry and online store are.
        days: Other days, as `compute` healed them.

    Returns:
        What was written.

    Raises:
        DataError: The features of the partition have not been computed.
    """
    lake = Lake(settings.lake / pipeline.name)
    published = {name: _published(lake, name, partition) for name in pipeline.features.views}
    moments = [as_of(day, pipeline.schedule.timezone) for day in sorted({partition, *days})]
    store = open_feature_store(pipeline, settings)
    # Feast prints its progress; the record says what was done.
    with redirect_stdout(StringIO()):
        store.materialize(moments[0], moments[-1], feature_views=list(published))
    rows = {name: dataset.rows or 0 for name, dataset in published.items()}
    return Materialized(
        pipeline=pipeline.name,
        partition=partition,
        headline=_headline(rows, len(moments)),
        rows=rows,
        inputs=tuple(published.values()),
        outputs=tuple(Dataset(name=f"online.{name}", rows=rows[name]) for name in published),
    )


def _published(lake: Lake, view: str, partition: date) -> Dataset:
    table = f"features.{view}"
    dataset = lake.dataset(table, [partition])
    versions = dataset.to_table(columns=["version"]).column("version").to_pylist() if dataset is not None else []
    if not versions:
        raise DataError(
            f"The features of {partition} have not been computed.",
            where=table,
            do="run compute before materialize",
        )
    return Dataset(name=table, partition=partition, version=versions[0], rows=len(versions))


def _headline(rows: dict[str, int], days: int) -> str:
    more = f", {days - 1} other days as well" if days > 1 else ""
    return f"{sum(rows.values()):,} entities in {len(rows)} views{more}"
