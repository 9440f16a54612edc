"""materialize: computed features into the online store, through Feast."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import redirect_stdout
from datetime import date
from io import StringIO

from airloom.core.errors import DataError
from airloom.core.failpoints import failpoint
from airloom.core.partitions import as_of, require_ended
from airloom.core.pipeline import Pipeline
from airloom.core.records import Dataset, Materialized
from airloom.core.settings import Settings
from airloom.stores.features import open_feature_store
from airloom.stores.lake import Lake
from airloom.stores.partition_columns import VERSION, read_rows


def materialize(pipeline: Pipeline, partition: date, settings: Settings, days: Sequence[date] = ()) -> Materialized:
    """Make the online store what the lake says of a partition, and of other days that were computed again.

    Every view that has any of the days is written once, for the window from the first of them to the last one. An
    entity's row is never replaced by one with an older event time, so that days may come in any order.

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
    every_day = sorted({partition, *days})
    for day in every_day:
        require_ended(day, pipeline.schedule.timezone)
    lake = Lake(settings.lake / pipeline.name)
    written = [name for name in pipeline.features.views if _has_any(lake, name, every_day)]
    published = {name: each for name in written if (each := _published(lake, name, partition))}
    if not published:
        raise DataError(f"The features of {partition} have not been computed.", do="run compute before materialize")
    bring_online(pipeline, written, every_day, settings)
    rows = {name: dataset.rows or 0 for name, dataset in published.items()}
    return Materialized(
        pipeline=pipeline.name,
        partition=partition,
        headline=_headline(rows, len(every_day)),
        rows=rows,
        inputs=tuple(published.values()),
        outputs=tuple(_online(name, dataset) for name, dataset in published.items()),
    )


def bring_online(pipeline: Pipeline, views: list[str], days: Sequence[date], settings: Settings) -> None:
    """Make the online rows of views what the lake says, for the window from the first of some days to the last."""
    moments = [as_of(day, pipeline.schedule.timezone) for day in days]
    store = open_feature_store(pipeline, settings)
    failpoint("materialize.before_online")
    # Feast prints its progress; the record says what was done.
    with redirect_stdout(StringIO()):
        store.materialize(moments[0], moments[-1], feature_views=views)
    failpoint("materialize.after_online")


def _has_any(lake: Lake, view: str, days: Sequence[date]) -> bool:
    return not lake.partitions(f"features.{view}").keys().isdisjoint(days)


def _published(lake: Lake, view: str, partition: date) -> Dataset | None:
    """Describe a view's partition; None when the view was left out for want of input."""
    table = f"features.{view}"
    published = lake.partitions(table).get(partition)
    dataset = lake.dataset(table, [partition])
    if published is None or dataset is None:
        return None
    # Rows tell which version they are of, whatever has been published since the log was read.
    versions = read_rows(dataset, [VERSION]).column(VERSION).to_pylist()
    return Dataset(
        name=table, partition=partition, version=versions[0] if versions else published.version, rows=len(versions)
    )


def _online(name: str, published: Dataset) -> Dataset:
    """Describe what was brought online: the same content, where no newer day's is online already."""
    return published.model_copy(update={"name": f"online.{name}", "made_of": (published,)})


def _headline(rows: dict[str, int], days: int) -> str:
    more = f", {days - 1} other days as well" if days > 1 else ""
    return f"{sum(rows.values()):,} entities in {len(rows)} views{more}"
