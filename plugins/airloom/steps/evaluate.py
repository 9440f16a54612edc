"""evaluate: every candidate and the champion on the same rows, by the same code."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from airloom.contracts import Model
from airloom.core.errors import DataError, Unavailable
from airloom.core.failpoints import failpoint
from airloom.core.failures import reason
from airloom.core.metrics import Kind, gain, metrics_of
from airloom.core.partitions import require_ended
from airloom.core.pipeline import Pipeline
from airloom.core.records import Dataset, Evaluation, Fitted, TrainingSet
from airloom.core.settings import Settings
from airloom.steps.baselines import predict_baselines
from airloom.steps.examples import DAY
from airloom.steps.outputs import predicted, to_columns
from airloom.steps.replay import load_proven
from airloom.steps.threads import fixed_threads
from airloom.steps.training_sets import Rows, read_file, read_results, read_rows, training_path, write_results
from airloom.stores.lake import Lake
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
    require_ended(partition, pipeline.schedule.timezone)
    rows = read_rows(training, "holdout", settings)
    registry = ModelRegistry(settings, pipeline.name)
    with fixed_threads():
        scores = {
            each.candidate: _score(
                pipeline, partial(registry.load_run, each.run_id), rows, f"The candidate {each.candidate}"
            )
            for each in fitted
        }
        champion = _score_champion(pipeline, champion_version, rows, settings)
        lake = Lake(settings.lake / pipeline.name, training.lake)
        baselines = predict_baselines(pipeline, read_rows(training, "train", settings), rows.frame, lake)
    label = rows.frame[pipeline.label.column].to_numpy(dtype=float)
    metrics = {name: score_metrics(pipeline.label.kind, label, each.outputs) for name, each in scores.items()}
    beside = {name: score_metrics(pipeline.label.kind, label, outputs) for name, outputs in baselines.items()}
    left_out = {name: each.problem for name, each in scores.items() if each.problem is not None}
    challenger = _best(pipeline, fitted, metrics, left_out)
    if champion_version is not None:
        metrics[CHAMPION] = score_metrics(pipeline.label.kind, label, champion.outputs)
    _log_holdout(pipeline, fitted, metrics, beside, settings)
    version = registry.register(challenger.run_id, {"airloom.rows_digest": rows.digest})
    failpoint("evaluate.after_register")
    gate = pipeline.gate
    grouped = [name for name in (*(gate.slices.by if gate.slices else ()), *(gate.cluster or ())) if name in rows.frame]
    described = [*pipeline.tables[pipeline.score.entities].key, DAY, pipeline.label.column, *grouped]
    outputs = {"challenger": scores[challenger.candidate].outputs, CHAMPION: champion.outputs, **baselines}
    results = rows.frame[list(dict.fromkeys(described))]
    for name, each in outputs.items():
        results = results.assign(**to_columns(pipeline.label, name, each))
    return Evaluation(
        pipeline=pipeline.name,
        partition=partition,
        headline=_headline(pipeline, challenger.candidate, version, champion_version, metrics, left_out),
        challenger=challenger.candidate,
        challenger_version=version,
        champion_version=champion_version,
        training_digest=training.digest,
        rows_digest=rows.digest,
        rows=len(label),
        metrics=metrics,
        degraded=training.degraded,
        leaks=training.leaks,
        lake=training.lake,
        results=_write_results(training.path, results, version, champion_version, settings),
        champion_problem=champion.problem,
        left_out=left_out,
        baselines=beside,
        inputs=_read(training, fitted, champion_version),
        # Whatever else was judged beside it: the version was made of one run alone.
        outputs=(Dataset(name="model", version=str(version), columns={"score": "double"}, made_of=challenger.outputs),),
    )


def evaluate_again(pipeline: Pipeline, evaluation: Evaluation, champion_version: int, settings: Settings) -> Evaluation:
    """Score another champion on the rows of an evaluation; what was found of the candidates is kept.

    Args:
        pipeline: The declaration.
        evaluation: The evaluation.
        champion_version: The version to score.
        settings: Where training sets and models are.

    Returns:
        The evaluation against this champion.

    Raises:
        DataError: The training set, or the results by row, are not there any more.
    """
    path = training_path(pipeline.name, evaluation.partition, evaluation.training_digest)
    rows, results = read_file(settings.training / path, "holdout"), read_results(evaluation.results, settings)
    with fixed_threads():
        champion = _score_champion(pipeline, champion_version, rows, settings)
    label = rows.frame[pipeline.label.column].to_numpy(dtype=float)
    metrics = {**evaluation.metrics, CHAMPION: score_metrics(pipeline.label.kind, label, champion.outputs)}
    results = results.assign(**to_columns(pipeline.label, CHAMPION, champion.outputs))
    name, version = evaluation.challenger, evaluation.challenger_version
    changed = {
        "headline": _headline(pipeline, name, version, champion_version, metrics, evaluation.left_out),
        "champion_version": champion_version,
        "metrics": metrics,
        "results": _write_results(path, results, version, champion_version, settings),
        "champion_problem": champion.problem,
        "inputs": (
            *(each for each in evaluation.inputs if each.name != "model"),
            Dataset(name="model", version=str(champion_version)),
        ),
    }
    return evaluation.model_copy(update=changed)


def _read(training: TrainingSet, fitted: Sequence[Fitted], champion: int | None) -> tuple[Dataset, ...]:
    """Name what was judged, and on what."""
    runs = (output for each in fitted for output in each.outputs)
    compared = () if champion is None else (Dataset(name="model", version=str(champion)),)
    return (*training.outputs, *runs, *compared)


def score_metrics(kind: Kind, label: np.ndarray, outputs: np.ndarray | None) -> Metrics:
    """Return every metric of a kind of label; none of them where an output is missing or not a finite number."""
    import numpy as np

    from airloom.steps.weighted_metrics import plain

    names = metrics_of(kind)
    if outputs is None or not np.isfinite(outputs).all():
        return dict.fromkeys(names)
    return {name: plain(name, label, outputs) for name in names}


@dataclass(frozen=True)
class _Scored:
    """What a model predicted for the holdout, or why it could not."""

    outputs: np.ndarray | None
    problem: str | None = None


def _score(pipeline: Pipeline, load: Callable[[], Model], rows: Rows, who: str) -> _Scored:
    try:
        return _Scored(predicted(pipeline.label, load(), rows.inputs, who))
    except Unavailable:
        raise  # A server that does not answer says nothing about the model.
    except Exception as error:  # noqa: BLE001 - a model of another day may fail in any way, and the gate must hear of it
        _log.warning("%s cannot be scored.", who, exc_info=error)
        return _Scored(None, reason(error))


def _score_champion(pipeline: Pipeline, version: int | None, rows: Rows, settings: Settings) -> _Scored:
    if version is None:
        return _Scored(None)
    load = partial(load_proven, pipeline, version, settings)
    return _score(pipeline, load, rows, f"The champion, version {version},")


def _best(
    pipeline: Pipeline, fitted: Sequence[Fitted], metrics: dict[str, Metrics], left_out: Mapping[str, str]
) -> Fitted:
    """Return the candidate with the best finite value of the gate's metric; the first declared one of equals."""
    metric = pipeline.gate.metric
    found = {each.candidate: each for each in fitted}
    values = {name: metrics.get(name, {}).get(metric) for name in pipeline.train.candidates}
    usable = {name: value for name, value in values.items() if value is not None and math.isfinite(value)}
    if not usable:
        raise DataError(
            f"There is no candidate with a finite {metric}.",
            found=" ".join(left_out.values()) or ", ".join(found) or "no candidate that could be trained",
            expected=" or ".join(pipeline.train.candidates),
            do="look at the runs of `fit`",
        )
    return found[max(usable, key=lambda name: gain(metric, usable[name], 0.0))]


def _log_holdout(
    pipeline: Pipeline,
    fitted: Sequence[Fitted],
    metrics: dict[str, Metrics],
    baselines: dict[str, Metrics],
    settings: Settings,
) -> None:
    """Keep in every run what its candidate was worth, and the baselines beside it."""
    runs = TrainingRuns(settings, pipeline.name)
    for each in fitted:
        named = {"holdout": metrics[each.candidate], **{f"baseline.{name}": found for name, found in baselines.items()}}
        runs.log_metrics(
            each.run_id,
            {
                f"{prefix}.{name}": value
                for prefix, found in named.items()
                for name, value in found.items()
                if value is not None
            },
        )


def _write_results(training: str, results: pd.DataFrame, version: int, champion: int | None, settings: Settings) -> str:
    path = PurePosixPath(training).with_suffix(f".v{version}-against-v{champion or 0}.parquet").as_posix()
    write_results(path, results, settings)
    return path


def _headline(
    pipeline: Pipeline,
    challenger: str,
    version: int,
    champion: int | None,
    metrics: dict[str, Metrics],
    left_out: Mapping[str, str],
) -> str:
    metric = pipeline.gate.metric
    mine, other = metrics[challenger][metric], metrics.get(CHAMPION, {}).get(metric)
    against = "no champion" if champion is None else f"champion version {champion} at {_shown(other)}"
    others = "".join(f"; {name} left out: {problem}" for name, problem in left_out.items())
    return f"{challenger} is challenger version {version}: {metric} {_shown(mine)} against {against}{others}"


def _shown(value: float | None) -> str:
    return "no value" if value is None else f"{value:.4f}"
