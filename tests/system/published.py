"""What an installation has published, whatever it is kept in: for comparing one kind of installation with another."""

from datetime import timedelta

from airloom.core.declaration import find_pipeline
from airloom.stores.features import open_feature_store
from airloom.stores.lake import Lake
from airloom.stores.ledger import Ledger


def published(settings, pipeline, first, last):
    """Everything that must be the same wherever it was made, for the days of a range."""
    days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    declared = find_pipeline(settings.include, pipeline)
    lake = Lake(settings.lake / pipeline)
    return {
        "lake": {table: _versions(lake, table, days) for table in lake.tables()},
        "champions": [
            (row.effective_from, row.version)
            for row in Ledger(settings.state_url).history(pipeline)
            if first <= row.effective_from <= last
        ],
        "predictions": _rows(lake.read("predictions", days)),
        "online": _online(declared, settings, lake),
    }


def _versions(lake, table, days):
    return {day: version for day, version in lake.partitions(table).items() if day in days}


def _rows(frame):
    """The rows in one order, without when and by which run they were made."""
    columns = [name for name in frame.columns if name not in ("airloom_scored_at", "airloom_run_id")]
    return sorted(map(tuple, frame[columns].astype(str).to_numpy()))


def _online(pipeline, settings, lake):
    """The newest features of every entity that the lake knows, as the online store answers."""
    store = open_feature_store(pipeline, settings)
    found = {}
    for view in store.list_feature_views():
        keys = [field.name for field in view.entity_columns]
        table = view.batch_source.table
        entities = lake.read(table, lake.partitions(table), keys).drop_duplicates().sort_values(keys)
        features = [f"{view.name}:{field.name}" for field in view.features]
        answer = store.get_online_features(features, entities.to_dict("records")).to_df()
        found[view.name] = answer.sort_values(keys).astype(str).to_dict("list")
    return found
