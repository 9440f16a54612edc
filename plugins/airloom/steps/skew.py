"""What predictions are made from, looked at twice: online and offline agree, and what is too old is counted."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from airloom.core.errors import DataError
from airloom.core.partitions import as_of
from airloom.core.pipeline import Pipeline
from airloom.core.settings import Settings
from airloom.steps.columns import feature_views, join_keys
from airloom.steps.staleness import Staleness
from airloom.stores.features import open_feature_store
from airloom.stores.lake import Lake

if TYPE_CHECKING:
    import pandas as pd

#: Rows whose features are also asked from the online store.
SAMPLE = 100


def compare_online(pipeline: Pipeline, partition: date, joined: pd.DataFrame, lake: Lake, settings: Settings) -> int:
    """Compare a sample of joined features with the online store's answers, where that knows no newer ones.

    The online store only knows the newest values, so a view is compared when the newest event time among its answers
    is the end of the partition; a partition of the past is not compared. A view of which days were left out offline is
    not either: they are online until they are healed.

    Args:
        pipeline: The declaration.
        partition: The day whose end the features are as of.
        joined: Rows with their join keys and the features joined offline, `<view>__<feature>`.
        lake: The tables, as features were joined from them.
        settings: Where the feature store is.

    Returns:
        How many values were compared.

    Raises:
        DataError: A value differs.
    """
    import pandas as pd

    store = open_feature_store(pipeline, settings)
    views = feature_views(pipeline, store)
    keys = join_keys(views)
    complete = joined[joined[keys].notna().all(axis=1)]
    sample = complete.iloc[:: max(1, len(complete) // SAMPLE)].head(SAMPLE).reset_index(drop=True)
    if sample.empty:
        return 0
    features = [f"{view.name}:{feature.name}" for view in views for feature in view.features]
    entities = [{name: _plain(value) for name, value in row.items()} for row in sample[keys].to_dict("records")]
    answer = store.get_online_features(features, entities, full_feature_names=True)
    online = pd.DataFrame(answer.to_dict(include_event_timestamps=True))
    moment = int(as_of(partition, pipeline.schedule.timezone).timestamp())
    compared = 0
    for view in views:
        names = [f"{view.name}__{feature.name}" for feature in view.features]
        if f"features.{view.name}" in lake.left_out:
            continue
        if online[[f"{name}__ts" for name in names]].to_numpy().max() != moment:
            continue
        for name in names:
            _require_same(name, partition, sample[name], online[name])
            compared += len(sample)
    return compared


def count_expired(
    pipeline: Pipeline, partition: date, joined: pd.DataFrame, staleness: Staleness, settings: Settings
) -> dict[str, int]:
    """Count the rows for which a view has nothing but features older than its TTL; they are as good as missing.

    Looks one more TTL back: an entity that was last seen before that is taken for a new one.

    Args:
        pipeline: The declaration.
        partition: The day whose end the features are as of.
        joined: Rows with their join keys and the features joined offline, `<view>__<feature>`.
        staleness: Which features are stale.
        settings: Where the feature store is.

    Returns:
        Rows by view, without views that have none.
    """
    counts = {}
    for view in feature_views(pipeline, open_feature_store(pipeline, settings)):
        keys = join_keys([view])
        missing = joined[joined[[f"{view.name}__{feature.name}" for feature in view.features]].isna().all(axis=1)]
        if view.ttl and len(missing):
            days = pipeline.schedule.window(partition - view.ttl, view.ttl.days)
            lake = staleness.current(days)
            if lake.commit(f"features.{view.name}") is not None:
                seen = lake.read(f"features.{view.name}", days, columns=keys, whole=keys).dropna().drop_duplicates()
                counts[view.name] = len(missing[keys].merge(seen, on=keys))
    return {name: count for name, count in counts.items() if count}


def count_without_key(pipeline: Pipeline, joined: pd.DataFrame, settings: Settings) -> dict[str, int]:
    """Count the rows that lack a key of a view, and so have none of its features.

    Args:
        pipeline: The declaration.
        joined: Rows with their join keys.
        settings: Where the feature store is.

    Returns:
        Rows by view, without views that have none.
    """
    views = feature_views(pipeline, open_feature_store(pipeline, settings))
    counts = {view.name: int(joined[join_keys([view])].isna().any(axis=1).sum()) for view in views}
    return {name: count for name, count in counts.items() if count}


def _require_same(name: str, partition: date, offline: pd.Series[Any], online: pd.Series[Any]) -> None:
    both_missing = offline.isna() & online.isna()
    same = (offline == online).fillna(False).astype(bool)
    differing = int((~both_missing & ~same).sum())
    if differing:
        raise DataError(
            "The online store answers other features than predictions are made from.",
            where=f"{name.replace('__', '.', 1)} as of {partition}",
            found=f"{differing} of {len(offline)} sampled rows differ",
            expected="the same values online and in the lake",
            do=f"run the features stage for {partition} again, then score; serve nothing from online until then",
        )


def _plain(value: Any) -> Any:
    """Return a value as Feast's Python types have it."""
    return value.item() if hasattr(value, "item") else value
