"""evaluate: every candidate and the champion on the same rows, by the same code."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from airloom.core.errors import DataError
from airloom.core.failpoints import failpoint
from airloom.core.metrics import METRICS, gain
from airloom.core.pipeline import Pipeline
from airloom.core.records import Dataset, Evaluation, Fitted, TrainingSet
from airloom.core.settings import Settings
from airloom.steps.threads import fixed_threads
from airloom.steps.training_sets import Rows, read_rows, write_parquet
from airloom.stores.models import ModelRegistry
from airloom.stores.runs import TrainingRuns

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

Metrics = dict[str, float | None]

#: The name by which the champion's metrics are found among those of the candidates.
CHAMPION = "champion"

_log = logging.getLogger(__name__)


def evaluate(
    pipeline: Pipeline,
    partition: date,
    training: TrainingSet,
    fitted: Sequence[Fitted],
    champion_version: int | None,
    settings: Settings,
) -> Evaluation:
    """Score the night's candidates and the champion on the holdout; register the best candidate as challenger.

    Args:
        pipeline: The declaration.
        partition: The as-of.
        training: The training set; nobody has learned from its holdout.
        fitted: The candidates that could be trained.
        champion_version: The champion as of the partition, None when there is none.
        settings: Where training sets and models are.

    Returns:
        All metrics. A champion that cannot be scored has none, and is never taken for no champion.

    Raises:
        DataError: There is no candidate with a finite metric.
    """
    rows = read_rows(training, "holdout", settings)
    registry = ModelRegistry(settings, pipeline.name)
    with fixed_threads():
        scores = {each.candidate: registry.load_run(each.run_id).predict(rows.inputs) for each in fitted}
        champion, problem = _score_champion(registry, champion_version, rows)
    label = rows.frame[pipeline.label.column].to_numpy(dtype=float)
    metrics = {name: score_metrics(label, values) for name, values in scores.items()}
    challenger = _best(pipeline, fitted, metrics)
    if champion_version is not None:
        metrics[CHAMPION] = score_metrics(label, champion)
    _log_holdout(pipeline, fitted, metrics, settings)
    version = registry.register(challenger.run_id, {"airloom.rows_digest": rows.digest})
    failpoint("evaluate.after_register")
    slices = pipeline.gate.slices.by if pipeline.gate.slices else ()
    described = [*pipeline.tables[pipeline.label.table].key, pipeline.label.column, *slices]
    results = rows.frame[list(dict.fromkeys(described))].assign(
        challenger=scores[challenger.candidate], champion=champion
    )
    return Evaluation(
        pipeline=pipeline.name,
        partition=partition,
        headline=_headline(pipeline, challenger.candidate, version, champion_version, metrics),
        challenger=challenger.candidate,
        challenger_version=version,
        champion_version=champion_version,
        training_digest=training.digest,
        rows_digest=rows.digest,
        rows=len(label),
        metrics=metrics,
        degraded=training.degraded,
        results=_write_results(training, results, f"v{version}-against-v{champion_version or 0}", settings),
        champion_problem=problem,
        inputs=(*training.outputs, *(output for each in fitted for output in each.outputs)),
        outputs=(Dataset(name="model", partition=partition, version=str(version)),),
    )


def score_metrics(label: np.ndarray, scores: np.ndarray | None) -> Metrics:
    """Return every metric; none of them where a score is missing or not a finite number."""
    import numpy as np
    from sklearn import metrics

    if scores is None or not np.isfinite(scores).all():
        return dict.fromkeys(METRICS)
    return {
        "roc_auc": float(metrics.roc_auc_score(label, scores)),
        "average_precision": float(metrics.average_precision_score(label, scores)),
        "log_loss": float(metrics.log_loss(label, scores, labels=[0.0, 1.0])),
        "brier": float(metrics.brier_score_loss(label, scores)),
    }


def _score_champion(registry: ModelRegistry, version: int | None, rows: Rows) -> tuple[np.ndarray | None, str | None]:
    """Return the champion's scores, or why there are none."""
    if version is None:
        return None, None
    try:
        return registry.load(version).predict(rows.inputs), None
    except Exception as error:  # noqa: BLE001 - a model of another day may fail in any way, and the gate must hear of it
        problem = f"version {version} cannot be scored: {type(error).__name__}: {str(error).splitlines()[0]}"
        _log.warning("The champion, %s", problem)
        return None, problem


def _best(pipeline: Pipeline, fitted: Sequence[Fitted], metrics: dict[str, Metrics]) -> Fitted:
    """Return the candidate with the best finite value of the gate's metric; the first declared one of equals."""
    metric = pipeline.gate.metric
    found = {each.candidate: each for each in fitted}
    values = {name: metrics.get(name, {}).get(metric) for name in pipeline.train.candidates}
    usable = {name: value for name, value in values.items() if value is not None and math.isfinite(value)}
    if not usable:
        raise DataError(
            f"There is no candidate with a finite {metric}.",
            found=", ".join(found) or "no candidate that could be trained",
            expected=" or ".join(pipeline.train.candidates),
            do="look at the runs of `fit`",
        )
    return found[max(usable, key=lambda name: gain(metric, usable[name], 0.0))]


def _log_holdout(pipeline: Pipeline, fitted: Sequence[Fitted], metrics: dict[str, Metrics], settings: Settings) -> None:
    runs = TrainingRuns(settings, pipeline.name)
    for each in fitted:
        values = {f"holdout.{name}": value for name, value in metrics[each.candidate].items() if value is not None}
        runs.log_metrics(each.run_id, values)


def _write_results(training: TrainingSet, results: pd.DataFrame, name: str, settings: Settings) -> str:
    import pyarrow as pa

    path = Path(training.path).with_suffix(f".{name}.parquet")
    write_parquet(pa.Table.from_pandas(results, preserve_index=False), settings.training / path)
    return path.as_posix()


def _headline(
    pipeline: Pipeline, challenger: str, version: int, champion: int | None, metrics: dict[str, Metrics]
) -> str:
    metric = pipeline.gate.metric
    mine, other = metrics[challenger][metric], metrics.get(CHAMPION, {}).get(metric)
    against = "no champion" if champion is None else f"champion version {champion} at {_shown(other)}"
    return f"{challenger} is challenger version {version}: {metric} {_shown(mine)} against {against}"


def _shown(value: float | None) -> str:
    return "no value" if value is None else f"{value:.4f}"
