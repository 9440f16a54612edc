"""The training sets of these pipelines by plain loops over what the sources say: no lake, no Feast, no step."""

from datetime import date, timedelta
from importlib import import_module

import pandas as pd

from airloom.core.pipeline import Pipeline
from airloom.steps.examples import DAY
from tests.worlds.late_labels.days import days_until


def training_set(
    pipeline: Pipeline, night: date, extract: str = "extract", known_when_mature: bool = False
) -> pd.DataFrame:
    """Return keys, day, split, inputs, features and label of every example as of a night.

    Args:
        pipeline: The declaration, whose label lies in a table.
        night: The night.
        extract: The function of its source.
        known_when_mature: Whether a label is what was known when its day was mature, and not as of the night.
    """
    label, train, table = pipeline.label, pipeline.train, pipeline.tables[pipeline.score.entities]
    source = getattr(import_module(f"tests.worlds.late_labels.include.{pipeline.name}.source"), extract)
    raw = {day: source(day) for day in days_until(pipeline, night)}
    labels = _labels(pipeline, raw, night)
    newest = night - label.horizon - label.delay
    examples = []
    for day in raw:
        if newest - train.window.max < day <= newest - train.holdout - label.horizon:
            split = "train"
        elif newest - train.holdout < day <= newest:
            split = "holdout"
        else:
            continue
        if known_when_mature:
            labels = _labels(pipeline, raw, day + label.horizon + label.delay)
        rows = raw[day][pipeline.score.entities].sort_values(list(table.key))
        scored = rows[rows[table.known_at] <= _end(pipeline, day)]
        for row in FEATURES[pipeline.name](pipeline, raw, day, scored).to_dict("records"):
            happened, value = labels.get(tuple(row[key] for key in label.key or table.key), (None, None))
            within = happened is not None and _end(pipeline, day) < happened <= _end(pipeline, day + label.horizon)
            if label.missing == "negative" and not within:
                within, value = True, 0.0
            if within and pd.notna(value):
                examples.append(row | {DAY: day, "airloom_split": split, label.column: value})
    views = [column for column in examples[0] if "__" in column]
    columns = [*table.key, DAY, "airloom_split", *train.inputs.categorical, *train.inputs.numeric, *views]
    return pd.DataFrame(examples)[[*columns, label.column]]


def _labels(pipeline, raw, night):
    """Return when each label happened and what it is, by its key: the newest that was known, in the order of days."""
    label, table, labels = pipeline.label, pipeline.tables[pipeline.label.table], {}
    if label.table == pipeline.score.entities:
        for day, tables in raw.items():
            for row in tables[label.table].to_dict("records"):
                labels[tuple(row[key] for key in table.key)] = _end(pipeline, day + label.horizon), row[label.column]
        return labels
    told = pd.concat([tables[label.table] for tables in raw.values()])
    for row in told.sort_values(table.known_at, kind="stable").to_dict("records"):
        if row[table.known_at] <= _end(pipeline, night):
            labels[tuple(row[key] for key in label.key)] = row[table.time], row[label.column]
    return labels


def _churn(pipeline, raw, day, rows):
    seen = _known(pipeline, raw, "customers", day, 3)
    age = _known(pipeline, raw, "profiles", day, 1).set_index("customer_id")["age"]
    visits = rows["customer_id"].map(seen.groupby("customer_id")["visits"].mean())
    return rows.assign(habits__visits_mean_3d=visits, profile__age=rows["customer_id"].map(age))


def _demand(pipeline, raw, day, rows):
    sales = _known(pipeline, raw, "sales", day, 5).sort_values("counted_at")
    newest = sales.drop_duplicates(["shop", "product", "target_day"], keep="last").groupby(["shop", "product"])["sold"]
    found = newest.agg(recent_sales__sold_mean_5d="mean", recent_sales__days_sold_5d="count")
    return rows.merge(found, how="left", left_on=["shop", "product"], right_index=True)


def _spam(pipeline, raw, day, rows):
    links = _known(pipeline, raw, "messages", day, 3).groupby("domain")["links"]
    found = links.agg(domains__links_mean_3d="mean", domains__messages_3d="count")
    return rows.merge(found, how="left", left_on="domain", right_index=True)


FEATURES = {"churn": _churn, "demand": _demand, "spam": _spam}


def _known(pipeline, raw, table, day, days):
    """Return what was known at the end of a day of the rows of the last days."""
    rows = pd.concat([raw[each][table] for each in raw if day - timedelta(days=days) < each <= day])
    return rows[rows[pipeline.tables[table].known_at] <= _end(pipeline, day)]


def _end(pipeline, day):
    """Return the end of a day there."""
    return pd.Timestamp(day + timedelta(days=1), tz=pipeline.schedule.timezone)
