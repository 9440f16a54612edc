"""The gate over the flights' year: whom it promotes by which rules, whether rightly, and what its champions publish.

Run: python -m bench.gate --days 364 --every 3 --folder FOLDER
A day takes two seconds to ingest, a night about ten to train and judge. What is published stays in the folder.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.console import Console
from rich.table import Table

from airloom.contracts import Model
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
from airloom.steps.examples import DAY
from airloom.steps.extract import extract
from airloom.steps.outputs import to_columns
from airloom.steps.publish import publish
from airloom.steps.references import load_reference
from airloom.steps.training import train
from airloom.steps.training_sets import Rows, read_file
from airloom.steps.validate import validate
from airloom.steps.weighted_metrics import plain
from airloom.stores.lake import Lake

if TYPE_CHECKING:
    import pandas as pd

PROJECT = Path(__file__).resolve().parents[1]
FOLLOWED = timedelta(days=28)
METRICS = ("roc_auc", "neg_log_loss")
DECLARED = "as declared"
POOLED = {"within": None, "confidence": 0.95}
LOG_LOSS = {**POOLED, "metric": "neg_log_loss", "min_effect": 0.0, "guardrails": {"roc_auc": 0.01}}
#: The rules that are compared, by what differs from the declaration.
RULES: dict[str, dict[str, Any]] = {
    DECLARED: {},
    "within days at 95 %": {"confidence": 0.95},
    "within days at 80 %": {"confidence": 0.8},
    "within days at 95 %, any gain": {"min_effect": 0.0, "confidence": 0.95},
    "over all rows at 95 %": POOLED,
    "over all rows at 90 %": {**POOLED, "confidence": 0.9},
    "log loss at 95 %": LOG_LOSS,
    "log loss at 90 %": {**LOG_LOSS, "confidence": 0.9},
    "rows as blocks": {**POOLED, "cluster": ("row",)},
}
WITHIN = "within days"
console = Console(width=180)


@dataclass(frozen=True)
class Night:
    """What the candidates of one night have learned."""

    night: date
    learned: Rows
    held_out: Rows
    models: Mapping[str, Model]
    best: str


@dataclass(frozen=True)
class Promotion:
    """One champion, and the one before it: a model, or the constant where there was none."""

    of: Night
    candidate: str
    verdict: Verdict
    before: Model | None

    @property
    def model(self) -> Model:
        """The champion's model."""
        return self.of.models[self.candidate]


@dataclass
class Replay:
    """The nights as one set of rules has judged them.

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
    """Publish the days, replay the nights by every set of rules, and print what came of each."""
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
    replays = {name: Replay(_judging_by(pipeline, changes)) for name, changes in RULES.items()}
    judged = [_judge(pipeline, night, replays, settings) for night in days[:: arguments.every]]
    nights = [each for each in judged if each]
    examples = _examples(pipeline, days, settings)
    console.print(_promotions(replays, examples))
    published = {name: _published(each, examples, settings) for name, each in replays.items() if each.promotions}
    first = replays[DECLARED].promotions[0]
    newest = [Promotion(night, night.best, first.verdict, None) for night in nights[nights.index(first.of) :]]
    published["the newest, judged by nobody"] = _published(Replay(pipeline, newest), examples, settings)
    console.print(_predictions("by rules", published))
    rows = published[DECLARED]
    months = rows[DAY].map(lambda day: f"{day:%Y-%m}")
    console.print(_predictions(f"by month, {DECLARED}", {str(month): some for month, some in rows.groupby(months)}))


def _judging_by(pipeline: Pipeline, changes: dict[str, Any]) -> Pipeline:
    return pipeline.model_copy(update={"gate": pipeline.gate.model_copy(update=changes)})


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


def _judge(pipeline: Pipeline, night: date, replays: dict[str, Replay], settings: Settings) -> Night | None:
    """Train the candidates of a night once, and lay the best before every set of rules."""
    try:
        training = assemble(pipeline, night, settings)
    except NotDue:
        return None
    learned, held_out = (read_file(settings.training / training.path, split) for split in ("train", "holdout"))
    models = {name: _trained(pipeline, name, learned, settings) for name in pipeline.train.candidates}
    scores = {name: model.predict(held_out.inputs) for name, model in models.items()}
    trained = Night(night, learned, held_out, models, _best(pipeline, scores, held_out))
    lake = Lake(settings.lake / pipeline.name, training.lake)
    baselines = predict_baselines(pipeline, learned, held_out.frame, lake)
    for name, replay in replays.items():
        best = _best(replay.pipeline, scores, held_out)
        verdict = _verdict(replay, night, scores[best], baselines, held_out, settings)
        replay.judged += 1
        replay.skilled += all(effect.lower and effect.lower > 0 for effect in verdict.skill[0].effects)
        console.print(
            f"{night} {name:<18} {best:<10} {verdict.outcome:<9} {verdict.reasons}", highlight=False, soft_wrap=True
        )
        if verdict.accepted:
            before = replay.promotions[-1].model if replay.promotions else None
            replay.promotions.append(Promotion(trained, best, verdict, before))
    return trained


def _trained(pipeline: Pipeline, candidate: str, rows: Rows, settings: Settings) -> Model:
    function = load_reference(pipeline.train.candidates[candidate].fit, settings.project)
    return train(pipeline, candidate, function, rows, _Silent()).model


def _best(pipeline: Pipeline, scores: dict[str, Any], rows: Rows) -> str:
    metric, label = pipeline.gate.metric, _label(pipeline, rows.frame)
    return max(scores, key=lambda name: gain(metric, plain(metric, label, scores[name]), 0.0))


def _label(pipeline: Pipeline, frame: pd.DataFrame) -> Any:
    return frame[pipeline.label.column].to_numpy(dtype=float)


def _verdict(
    replay: Replay, night: date, challenger: Any, baselines: dict[str, Any], rows: Rows, settings: Settings
) -> Verdict:
    """Judge a challenger against the champion of a replay, as the steps `evaluate` and `decide` do."""
    pipeline, champion = replay.pipeline, replay.promotions[-1] if replay.promotions else None
    label = _label(pipeline, rows.frame)
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
    since = champion.of.night if champion else night
    case = Case(
        pipeline=pipeline.name,
        partition=night,
        challenger=_judged(evaluation, "challenger", version, night),
        champion=_judged(evaluation, "champion", before, since) if before else None,
        head=Head(epoch=before, version=before, as_of=since) if before else None,
        proof=Proof(version=version, rows=500, artifact_bytes=0),
        training_digest="",
        pipeline_digest="",
        comparison=compare(pipeline, evaluation, settings),
        skill=compare_with_baselines(pipeline, evaluation, settings),
    )
    return decide(case, pipeline.gate)


def _by_day(rows: pd.DataFrame, sides: Sequence[str]) -> Any:
    """Return the area under the curve of each side, on every day on which there is one."""
    days = [day for _, day in rows.groupby(DAY) if day["label"].nunique() == 2]
    return np.array(
        [[plain("roc_auc", day["label"].to_numpy(dtype=float), day[side].to_numpy()) for side in sides] for day in days]
    )


def _judged(evaluation: Evaluation, name: str, version: int, night: date) -> Judged:
    metrics = evaluation.metrics[name]
    return Judged(
        version=version, as_of=night, rows=evaluation.rows, rows_digest=evaluation.rows_digest, metrics=metrics
    )


def _examples(pipeline: Pipeline, days: list[date], settings: Settings) -> pd.DataFrame:
    """Return every labelled row once, with its day, as the holdouts of nights that follow each other."""
    import pandas as pd

    held_out = []
    for night in days[:: pipeline.train.holdout.days]:
        try:
            held_out.append(read_file(settings.training / assemble(pipeline, night, settings).path, "holdout").frame)
        except NotDue:
            continue
    return pd.concat(held_out, ignore_index=True)


def _promotions(replays: dict[str, Replay], examples: pd.DataFrame) -> Table:
    table = Table("rules", "nights", "with skill", "first", "promotions", "followed", title="Promotions over the year")
    for metric in (*METRICS, WITHIN):
        table.add_column(f"better in {metric}" if metric != WITHIN else f"better {WITHIN}")
    for name, replay in replays.items():
        followed = list(_followed(replay, examples))
        better = [f"{sum(each[metric] > 0 for each in followed)}" for metric in (*METRICS, WITHIN)]
        first = str(replay.promotions[0].of.night) if replay.promotions else "-"
        counts = (replay.judged, replay.skilled, first, len(replay.promotions), len(followed))
        table.add_row(name, *map(str, counts), *better)
    return table


def _followed(replay: Replay, examples: pd.DataFrame) -> Iterator[dict[str, float]]:
    """Yield by how much each champion was better than the one before it on the 28 days after its promotion.

    The first is compared with the share of late flights on those very days, the best constant in hindsight.
    """
    for promotion in replay.promotions:
        night = promotion.of.night
        rows = examples[(examples[DAY] > night) & (examples[DAY] <= night + FOLLOWED)]
        if rows[DAY].nunique() < FOLLOWED.days:
            continue
        label, inputs = _label(replay.pipeline, rows), rows[promotion.of.learned.columns.all]
        mine = promotion.model.predict(inputs)
        theirs = promotion.before.predict(inputs) if promotion.before else np.full(len(label), label.mean())
        better = {metric: gain(metric, plain(metric, label, mine), plain(metric, label, theirs)) for metric in METRICS}
        scored = rows[[DAY]].assign(label=label, mine=mine, theirs=theirs)
        yield {**better, WITHIN: float(np.subtract(*_by_day(scored, ("mine", "theirs")).mean(axis=0)))}


def _published(replay: Replay, examples: pd.DataFrame, settings: Settings) -> pd.DataFrame:
    """Return what the champions would have published, with their own baselines, for every day that has labels."""
    import pandas as pd

    pipeline, parts = replay.pipeline, []
    lake = Lake(settings.lake / pipeline.name)
    ends = [each.of.night for each in replay.promotions[1:]] + [date.max]
    for promotion, end in zip(replay.promotions, ends, strict=True):
        own = examples[(examples[DAY] >= promotion.of.night) & (examples[DAY] < end)]
        if own.empty:
            continue
        baselines = predict_baselines(pipeline, promotion.of.learned, own, lake)
        inputs = own[promotion.of.learned.columns.all]
        parts.append(
            own[[DAY]].assign(
                label=_label(pipeline, own),
                champion=promotion.model.predict(inputs),
                refit=_refitted(promotion, pipeline, settings).predict(inputs),
                **baselines,
            )
        )
    return pd.concat(parts, ignore_index=True)


def _refitted(promotion: Promotion, pipeline: Pipeline, settings: Settings) -> Model:
    """Train a champion's candidate again, also on the rows that were held out to judge it."""
    import pandas as pd

    night = promotion.of
    frame = pd.concat([night.learned.frame, night.held_out.frame], ignore_index=True)
    rows = Rows(frame, night.learned.columns, night.learned.digest)
    return _trained(pipeline, promotion.candidate, rows, settings)


def _predictions(title: str, parts: Mapping[str, pd.DataFrame]) -> Table:
    """Tell what published predictions were worth, part by part."""
    sides = ("champion", "refit", "linear", "constant")
    table = Table("", "rows", title=f"Published predictions {title}")
    for metric in ("roc_auc", WITHIN, "log loss"):
        for side in sides[: 4 if metric == "log loss" else 3]:
            table.add_column(metric if side == "champion" else f"of {side}")
    table.add_column("days above constant")
    for name, rows in parts.items():
        losses = rows[list(sides)].apply(lambda scores, label=rows["label"]: -np.log(np.abs(1 - label - scores)))
        pooled = [plain("roc_auc", rows["label"].to_numpy(), rows[side].to_numpy()) for side in sides[:3]]
        by_day = losses.groupby(rows[DAY]).mean()
        values = [*pooled, *_by_day(rows, sides[:3]).mean(axis=0), *losses.mean()]
        better = (by_day["champion"] < by_day["constant"]).mean()
        table.add_row(name, str(len(rows)), *(f"{value:.4f}" for value in values), f"{better:.0%}")
    return table


if __name__ == "__main__":
    main()
