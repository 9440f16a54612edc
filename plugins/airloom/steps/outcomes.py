"""Outcomes: how good published predictions were, once their labels have arrived, and what baselines would have been."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING

from airloom.core.errors import AirloomError
from airloom.core.pipeline import Pipeline
from airloom.core.reserved import PREFIX
from airloom.core.settings import Settings
from airloom.steps.baselines import predict_baselines
from airloom.steps.evaluate import Metrics, score_metrics
from airloom.steps.examples import DAY, add_labels, scored_rows
from airloom.steps.label_inputs import current_labels
from airloom.steps.outputs import from_columns, names, to_columns
from airloom.steps.readiness import LABELS
from airloom.steps.training_sets import read_file, training_path
from airloom.stores.lake import Lake
from airloom.stores.models import ModelRegistry
from airloom.stores.prediction_columns import has_prefix, without_prefix

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

#: The lake's table of what champions have predicted.
PREDICTIONS = "predictions"
#: What a labelled prediction has besides: what happened, which version has predicted, and what.
LABEL, VERSION, SCORE = f"{PREFIX}label", f"{PREFIX}model_version", f"{PREFIX}score"


@dataclass(frozen=True)
class Quality:
    """How good predictions were, for the days whose labels have arrived.

    Args:
        days: How many days.
        rows: Predictions with a label.
        metrics: Every metric on these rows.
        baselines: The same of every baseline, trained on what each version has learned from; without those that
            cannot be made again, since a training set is gone.
        predicted: Mean of what was predicted; None where classes were.
        happened: Mean of what happened.
    """

    days: int
    rows: int
    metrics: Metrics
    baselines: dict[str, Metrics] = field(default_factory=dict)
    predicted: float | None = None
    happened: float | None = None


def judge(pipeline: Pipeline, settings: Settings, days: list[date]) -> Quality | None:
    """Compare predictions with the labels that have arrived since.

    Args:
        pipeline: The pipeline.
        settings: Where lake, training sets and models are.
        days: The days as of which was predicted.

    Returns:
        How good they were, None when there are no labels of both kinds yet.
    """
    lake = current_labels(pipeline, Lake(settings.lake / pipeline.name), settings)
    labelled = labelled_predictions(pipeline, lake, days)
    if labelled[LABEL].nunique() < 2:
        return None
    kind = pipeline.label.kind
    label = labelled[LABEL].to_numpy(dtype=float)
    scores = from_columns(pipeline.label, SCORE, labelled)
    several = kind == "multiclass"
    return Quality(
        days=labelled[DAY].nunique(),
        rows=len(labelled),
        metrics=score_metrics(kind, label, scores),
        baselines={
            name: score_metrics(kind, label, outputs)
            for name, outputs in _baselines(pipeline, labelled, settings).items()
        },
        predicted=None if several else float(scores.mean()),
        happened=None if several else float(label.mean()),
    )


def labelled_predictions(pipeline: Pipeline, lake: Lake, days: list[date]) -> pd.DataFrame:
    """Join predictions with the labels that are known by now, as a training set does.

    Args:
        pipeline: The declaration.
        lake: The tables.
        days: The days as of which was predicted.

    Returns:
        Rows in no order, with `LABEL`, `VERSION`, the day, and the columns of what was predicted, named by `SCORE`.
    """
    import pandas as pd

    columns = names(pipeline.label, SCORE)
    predicted = published_days(lake, PREDICTIONS, days)
    if pipeline.label.table is None:
        last, mature = days[-1], published_days(lake, LABELS, predicted)
    else:
        last = max(lake.partitions(f"raw.{pipeline.label.table}"), default=date.min)
        mature = [day for day in predicted if day + pipeline.label.matures_after <= last]
    if not mature:
        return pd.DataFrame({DAY: [], LABEL: [], VERSION: [], **{name: [] for name in columns}})
    key = [*pipeline.tables[pipeline.score.entities].key, DAY]
    scores = _scores(lake, mature, key, [VERSION, *columns]).dropna(subset=columns)
    scores[DAY] = scores[DAY].map(date.fromisoformat)
    rows, _ = scored_rows(pipeline, mature, lake)
    inputs = pipeline.train.inputs
    kept = dict.fromkeys([*key, *pipeline.label_key, *inputs.categorical, *inputs.numeric])
    labelled, _ = add_labels(pipeline, rows[[*kept]], last, lake)
    return labelled.rename(columns={pipeline.label.column: LABEL}).merge(scores, on=key)


def _scores(lake: Lake, days: list[date], key: list[str], columns: list[str]) -> pd.DataFrame:
    """Read predictions with the prefix in columns of ours, whatever their table calls them."""
    there = {} if has_prefix(lake.schema(PREDICTIONS).names) else without_prefix([*key, *columns], PREDICTIONS)
    read = lake.read(PREDICTIONS, days, columns=[*key, *(there.get(name, name) for name in columns)])
    return read.rename(columns={old: new for new, old in there.items()})


def _baselines(pipeline: Pipeline, labelled: pd.DataFrame, settings: Settings) -> dict[str, np.ndarray]:
    """Return what every baseline would have predicted, each row by those of the version that has scored it."""
    import pandas as pd

    registry, lake, found = ModelRegistry(settings, pipeline.name), Lake(settings.lake / pipeline.name), []
    for version, rows in labelled.groupby(VERSION):
        try:
            info = registry.version_info(int(str(version)))
            path = training_path(pipeline.name, info.partition, info.training_digest)
            learned = read_file(settings.training / path, "train")
        except AirloomError:
            return {}
        predicted = predict_baselines(pipeline, learned, rows, lake)
        columns = {
            name: pd.DataFrame(to_columns(pipeline.label, name, each), index=rows.index)
            for name, each in predicted.items()
        }
        found.append(columns)
    everywhere = [name for name in found[0] if all(name in each for each in found)] if found else []
    return {
        name: from_columns(pipeline.label, name, pd.concat([each[name] for each in found]).loc[labelled.index])
        for name in everywhere
    }


def published_days(lake: Lake, table: str, days: list[date]) -> list[date]:
    """Return those of some days that a table has, in order."""
    return sorted(set(lake.partitions(table)) & set(days))
