"""The gate over the flights' year: whom it promotes when it counts days and when it counts rows, and whether rightly.

Run: python -m bench.gate --days 364 --every 3 --folder FOLDER
A day takes two seconds to ingest, a night about ten to train and judge. What is published stays in the folder.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from airloom.core.declaration import find_pipeline
from airloom.core.errors import AirloomError, NotDue
from airloom.core.gate import decide
from airloom.core.metrics import gain
from airloom.core.partitions import day_range
from airloom.core.pipeline import Pipeline
from airloom.core.records import Evaluation
from airloom.core.settings import Settings
from airloom.core.verdict import Case, Head, Judged, Proof, Verdict
from airloom.launcher.features import apply_pipeline
from airloom.steps.assemble import assemble
from airloom.steps.baselines import predict_baselines
from airloom.steps.compare import compare, compare_with_baselines
from airloom.steps.compute import compute
from airloom.steps.evaluate import score_metrics
from airloom.steps.extract import extract
from airloom.steps.outputs import to_columns
from airloom.steps.publish import publish
from airloom.steps.references import load_reference
from airloom.steps.training import train
from airloom.steps.training_sets import Rows, read_file
from airloom.steps.validate import validate
from airloom.steps.weighted_metrics import plain
from airloom.stores.lake import Lake
from airloom.stores.model_files import Model

PROJECT = Path(__file__).resolve().parents[1]
FOLLOWED = timedelta(days=28)
console = Console(width=140)


@dataclass(frozen=True)
class Promotion:
    """One champion, and the one before it: a model, or the constant where there was none."""

    night: date
    verdict: Verdict
    model: Model
    before: Model | None


@dataclass
class Replay:
    """The nights as one kind of gate has judged them.

    Args:
        pipeline: The declaration with its gate.
        promotions: The champions, the newest last.
        judged: How many nights were judged.
        skilled: On how many the challenger was better than the constant.
    """

    pipeline: Pipeline
    promotions: list[Promotion] = field(default_factory=list)
    judged: int = 0
    skilled: int = 0


def main() -> None:
    """Publish the days, replay the nights with both gates, follow every promotion, and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=364)
    parser.add_argument("--every", type=int, default=3, help="judge every so many nights")
    parser.add_argument("--folder", type=Path, required=True)
    arguments = parser.parse_args()
    var = arguments.folder / "var"
    settings = Settings(project=PROJECT, var=var, state_url=f"sqlite:///{var}/state/airloom.db")
    pipeline = find_pipeline(settings.include, "flight_delays")
    days = day_range(pipeline.schedule.start, pipeline.schedule.start + timedelta(days=arguments.days - 1))
    _publish(pipeline, days, settings)
    replays = {name: Replay(_counting(pipeline, name)) for name in ("day", "row")}
    for night in days[:: arguments.every]:
        _judge(night, replays, settings)
    console.print(_table(replays, days[-1], settings))


def _counting(pipeline: Pipeline, block: str) -> Pipeline:
    gate = pipeline.gate.model_copy(update={"cluster": (block,)})
    return pipeline.model_copy(update={"gate": gate})


def _publish(pipeline: Pipeline, days: list[date], settings: Settings) -> None:
    """Ingest what is not there and compute its features; a day that is blocked stays a hole."""
    lake = Lake(settings.lake / pipeline.name)
    if not (settings.var / "state").exists():
        apply_pipeline(settings, pipeline)
    there = set(lake.partitions(f"features.{next(iter(pipeline.features.views))}"))
    for day in days:
        if day in there:
            continue
        try:
            extract(pipeline, day, settings)
            publish(pipeline, day, settings, [validate(pipeline, day, table, settings) for table in pipeline.tables])
            compute(pipeline, day, settings)
        except AirloomError as error:
            console.print(f"{day} {error.brief}", highlight=False)
        if day.day == 1:
            console.print(f"published until {day}", highlight=False)


class _Silent:
    def log(self, metrics: Mapping[str, float], step: int) -> None:
        """Keep nothing."""


def _judge(night: date, replays: dict[str, Replay], settings: Settings) -> None:
    """Train the candidates of a night once, and lay the best before every gate."""
    pipeline = next(iter(replays.values())).pipeline
    try:
        training = assemble(pipeline, night, settings)
    except NotDue:
        return
    learned, held_out = (read_file(settings.training / training.path, split) for split in ("train", "holdout"))
    label = held_out.frame[pipeline.label.column].to_numpy(dtype=float)
    models = {
        name: train(pipeline, name, load_reference(declared.fit, settings.project), learned, _Silent()).model
        for name, declared in pipeline.train.candidates.items()
    }
    scores = {name: model.predict(held_out.inputs) for name, model in models.items()}
    metric = pipeline.gate.metric
    best = max(scores, key=lambda name: gain(metric, plain(metric, label, scores[name]), 0.0))
    lake = Lake(settings.lake / pipeline.name, training.lake)
    baselines = predict_baselines(pipeline, learned, held_out.frame, lake)
    for name, replay in replays.items():
        verdict = _verdict(replay, night, scores[best], baselines, held_out, settings)
        replay.judged += 1
        replay.skilled += all(effect.lower and effect.lower > 0 for effect in verdict.skill[0].effects)
        told = f"{night} {name:<4} {best:<10} {verdict.outcome:<9} {verdict.reasons}"
        console.print(told, highlight=False, soft_wrap=True)
        if verdict.accepted:
            before = replay.promotions[-1].model if replay.promotions else None
            replay.promotions.append(Promotion(night, verdict, models[best], before))


def _verdict(
    replay: Replay, night: date, challenger: Any, baselines: dict[str, Any], rows: Rows, settings: Settings
) -> Verdict:
    """Judge a challenger against the champion of a replay, as the steps `evaluate` and `decide` do."""
    pipeline, champion = replay.pipeline, replay.promotions[-1] if replay.promotions else None
    label = rows.frame[pipeline.label.column].to_numpy(dtype=float)
    outputs = {"challenger": challenger, "champion": champion and champion.model.predict(rows.inputs), **baselines}
    frame = rows.frame
    for name, each in outputs.items():
        frame = frame.assign(**to_columns(pipeline.label, name, each))
    settings.training.mkdir(parents=True, exist_ok=True)
    frame.to_parquet(settings.training / "replay.parquet")
    metrics = {name: score_metrics(pipeline.label.kind, label, each) for name, each in outputs.items()}
    version, before = len(replay.promotions) + 1, len(replay.promotions) or None
    evaluation = Evaluation(
        pipeline=pipeline.name,
        partition=night,
        headline="replayed",
        challenger="challenger",
        challenger_version=version,
        champion_version=before,
        training_digest="",
        rows_digest=rows.digest,
        rows=len(label),
        metrics={name: metrics[name] for name in ("challenger", "champion")},
        baselines={name: metrics[name] for name in baselines},
        results="replay.parquet",
    )
    case = Case(
        pipeline=pipeline.name,
        partition=night,
        challenger=_judged(evaluation, "challenger", version, night),
        champion=_judged(evaluation, "champion", before, champion.night) if champion and before else None,
        head=Head(epoch=before, version=before, as_of=champion.night) if champion and before else None,
        proof=Proof(version=version, rows=500, artifact_bytes=0),
        training_digest="",
        pipeline_digest="",
        comparison=compare(pipeline, evaluation, settings),
        skill=compare_with_baselines(pipeline, evaluation, settings),
    )
    return decide(case, pipeline.gate)


def _judged(evaluation: Evaluation, name: str, version: int, night: date) -> Judged:
    metrics = evaluation.metrics[name]
    return Judged(
        version=version, as_of=night, rows=evaluation.rows, rows_digest=evaluation.rows_digest, metrics=metrics
    )


def _table(replays: dict[str, Replay], last: date, settings: Settings) -> Table:
    table = Table("blocks", "nights judged", "with skill", "promotions", "followed", title="The year, by both gates")
    metrics = ("roc_auc", "neg_log_loss")
    for metric in metrics:
        table.add_column(f"better in {metric}")
    for name, replay in replays.items():
        followed = list(_followed(replay, last, settings))
        better = {metric: sum(each[metric] > 0 for each in followed) for metric in metrics}
        counts = (replay.judged, replay.skilled, len(replay.promotions), len(followed), *better.values())
        table.add_row(name, *map(str, counts))
    return table


def _followed(replay: Replay, last: date, settings: Settings) -> Iterator[dict[str, float]]:
    """Yield by how much each champion was better than the one before it on the days after its promotion.

    The first is compared with the share of late flights on those very days, the best constant in hindsight.
    """
    for promotion in replay.promotions:
        night = promotion.night + FOLLOWED + replay.pipeline.label.matures_after
        if night > last:
            continue
        rows = read_file(settings.training / assemble(replay.pipeline, night, settings).path)
        after = rows.frame["partition"] > promotion.night
        inputs, label = rows.inputs[after], rows.frame.loc[after, replay.pipeline.label.column].to_numpy(dtype=float)
        mine = promotion.model.predict(inputs)
        theirs = promotion.before.predict(inputs) if promotion.before else np.full(len(label), label.mean())
        yield {
            metric: gain(metric, plain(metric, label, mine), plain(metric, label, theirs))
            for metric in ("roc_auc", "neg_log_loss")
        }


if __name__ == "__main__":
    main()
