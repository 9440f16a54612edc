"""What a range of days has brought: the facts behind the demo's last page."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import date

from airloom.core.partitions import local_days
from airloom.core.pipeline import Pipeline
from airloom.core.settings import Settings
from airloom.core.verdict import Verdict
from airloom.launcher.api import Range
from airloom.lineage.delivery.state import count_events
from airloom.steps.outcomes import PREDICTIONS, Quality, judge, published_days
from airloom.steps.standing import Standing, standing
from airloom.stores.lake import Lake
from airloom.stores.ledger import Champion, Ledger
from airloom.stores.quarantine import Quarantine

_MAX_RUNS = 5000


@dataclass(frozen=True)
class TableFacts:
    """What became of one raw table.

    Args:
        table: The table.
        published: Days that were published.
        rows: Rows that were published.
        quarantined_rows: Rows that were held back.
        blocked: Days that were stopped.
    """

    table: str
    published: int
    rows: int
    quarantined_rows: int
    blocked: int


@dataclass(frozen=True)
class Summary:
    """What a range of days has brought.

    Args:
        tables: What became of each raw table.
        views: Days with features, by feature view.
        trained: Finished trainings, by candidate.
        nights: Nights on which something was trained.
        verdicts: Every verdict, in the order of the days.
        champion: The champion of the last day.
        champion_metrics: Its metrics on the night it was accepted.
        predicted_days: Days with predictions.
        predictions: How many predictions.
        quality: How good they were; None when no labels have arrived.
        standing: What those of the champion of now were worth beside a constant; None before a week of labels.
        events: Lineage events, since the installation was made.
    """

    tables: tuple[TableFacts, ...]
    views: dict[str, int]
    trained: dict[str, int]
    nights: int
    verdicts: tuple[Verdict, ...]
    champion: Champion | None
    champion_metrics: dict[str, float | None]
    predicted_days: int
    predictions: int
    quality: Quality | None
    standing: Standing | None
    events: int


def summarize(pipeline: Pipeline, settings: Settings, days: Range) -> Summary:
    """Collect what a range of days has brought.

    Args:
        pipeline: The pipeline.
        settings: Where everything is.
        days: The range.
    """
    wanted = local_days(days.first, days.last, pipeline.schedule.timezone)
    lake = Lake(settings.lake / pipeline.name)
    ledger = Ledger(settings.state_url)
    verdicts = [each for each in ledger.verdicts(pipeline.name) if each.partition in set(wanted)]
    champion = ledger.champion_as_of(pipeline.name, days.last)
    trained = _trained(pipeline, settings, wanted)
    predictions = _rows(lake, PREDICTIONS, wanted)
    return Summary(
        tables=tuple(_table(pipeline, settings, lake, table, wanted) for table in pipeline.tables),
        views={name: len(published_days(lake, f"features.{name}", wanted)) for name in pipeline.features.views},
        trained=dict(Counter(candidate for _, candidate in trained)),
        nights=len({night for night, _ in trained}),
        verdicts=tuple(sorted(verdicts, key=lambda verdict: verdict.partition)),
        champion=champion,
        champion_metrics=_champion_metrics(ledger, champion),
        predicted_days=len(published_days(lake, PREDICTIONS, wanted)),
        predictions=predictions,
        quality=judge(pipeline, settings, wanted) if predictions else None,
        standing=standing(pipeline, settings),
        events=count_events(settings),
    )


def _rows(lake: Lake, table: str, days: list[date]) -> int:
    dataset = lake.dataset(table, days)
    return 0 if dataset is None else int(dataset.count_rows())


def _table(pipeline: Pipeline, settings: Settings, lake: Lake, table: str, days: list[date]) -> TableFacts:
    quarantine = Quarantine(settings.quarantine / pipeline.name)
    kept = [reason for day in days if (reason := quarantine.reason(table, day))]
    return TableFacts(
        table=table,
        published=len(published_days(lake, f"raw.{table}", days)),
        rows=_rows(lake, f"raw.{table}", days),
        quarantined_rows=sum(reason.rows for reason in kept),
        blocked=sum(reason.outcome == "blocked" for reason in kept),
    )


def _trained(pipeline: Pipeline, settings: Settings, days: list[date]) -> set[tuple[str, str]]:
    """Return night and candidate of every finished training."""
    from airloom.stores.tracking import experiment_id, open_client

    runs = open_client(settings).search_runs(
        [experiment_id(settings, pipeline.name)], "attributes.status = 'FINISHED'", max_results=_MAX_RUNS
    )
    nights = {day.isoformat() for day in days}
    tags = [run.data.tags for run in runs]
    return {
        (each["airloom.partition"], each["airloom.candidate"])
        for each in tags
        if each.get("airloom.partition") in nights and "airloom.candidate" in each
    }


def _champion_metrics(ledger: Ledger, champion: Champion | None) -> dict[str, float | None]:
    if champion is None or champion.verdict is None:
        return {}
    return ledger.verdict(champion.verdict).challenger.metrics
