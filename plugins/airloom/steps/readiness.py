"""What a stage needs before it may run for a partition, and what of it is not there yet."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence, Sized
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache

from airloom.core.errors import NotDue, UsageError
from airloom.core.partitions import local_days
from airloom.core.pipeline import Pipeline
from airloom.core.settings import Settings
from airloom.core.wording import listed
from airloom.stores.lake import Lake
from airloom.stores.ledger import Ledger
from airloom.stores.quarantine import Quarantine
from airloom.stores.withdrawals import Withdrawals

Needs = dict[str, list[date]]

#: The table of labels that are no rows of a raw table: split off the scored rows at ingest, or computed by a query.
LABELS = "labels"


@dataclass(frozen=True)
class Readiness:
    """What a stage still waits for.

    Args:
        published: Partitions that are there, or that the stage itself computes from what is there.
        blocked: Partitions that are stopped or were taken back: waiting longer would not bring them.
        missing: Partitions that nobody has published or stopped yet.
    """

    published: int
    blocked: tuple[str, ...]
    missing: tuple[str, ...]

    @property
    def settled(self) -> bool:
        """Whether there is nothing left to wait for."""
        return not self.missing

    def __str__(self) -> str:
        parts = [f"{self.published} partitions published"]
        parts += [f"{len(self.missing)} awaited ({listed(self.missing)})"] if self.missing else []
        parts += [f"{len(self.blocked)} blocked ({listed(self.blocked)})"] if self.blocked else []
        return ", ".join(parts)


def readiness(pipeline: Pipeline, stage: str, partition: date, settings: Settings) -> Readiness:
    """Compare what a stage needs with what is published.

    Args:
        pipeline: The declaration.
        stage: `features`, `train` or `score`.
        partition: The day to run.
        settings: Where the lake is.

    Raises:
        NotDue: The stage cannot run for this day, whatever will be published.
    """
    wanted = needs(pipeline, stage, partition)
    published = cache(Lake(settings.lake / pipeline.name).partitions)
    quarantine = Quarantine(settings.quarantine / pipeline.name)
    withdrawn = Withdrawals.of(pipeline.name, settings).lasting()
    absent: list[tuple[str, date]] = []
    for table, days in wanted.items():
        gone = {day for day in days if (table, day) in withdrawn and day not in published(table)}
        absent += [(table, day) for day in days if day in gone or not _is_there(pipeline, published, table, day)]
    # A day is published whole or not at all, so one blocked table stops every table of the day, and its features.
    stopped = _blocked(quarantine, pipeline.tables, absent) | {day for table, day in withdrawn if table[:4] == "raw."}
    # The same holds for the views of a day.
    views = [f"features.{name}" for name in pipeline.features.views]
    refused = _blocked(quarantine, views, [each for each in absent if each[0] in views])
    held = {each for each in absent if each[1] in stopped or (each[0] in views and each[1] in refused)}
    # What a person has taken back comes again only when a person asks for it.
    held |= withdrawn.keys()
    blocked = tuple(f"{table} {day}" for table, day in absent if (table, day) in held)
    missing = tuple(f"{table} {day}" for table, day in absent if (table, day) not in held)
    return Readiness(sum(map(len, wanted.values())) - len(absent), blocked, missing)


def _is_there(pipeline: Pipeline, published: Callable[[str], Collection[date]], table: str, day: date) -> bool:
    """Tell whether a partition is published, or is one of features that the stage computes itself.

    These are of a view that was added since the day was computed: all that they are computed from is there, and the
    features stage, which has run for the day, does not come back.
    """
    views = pipeline.features.views
    view = views.get(table.removeprefix("features."))
    if day in published(table) or view is None or not table.startswith("features."):
        return day in published(table)
    window = pipeline.schedule.window(day, view.window.days)
    computed = any(day in published(f"features.{name}") for name in views)
    return computed and all(each in published(f"raw.{read}") for read in view.reads for each in window)


def _blocked(quarantine: Quarantine, tables: Iterable[str], absent: Sequence[tuple[str, date]]) -> set[date]:
    """Return those days of absent partitions on which any of some tables is stopped."""
    days = {day for _, day in absent}
    return {day for table in tables for day in quarantine.blocked_days(table, days)} if days else set()


def needs(pipeline: Pipeline, stage: str, partition: date) -> Needs:
    """Return the partitions that a stage reads, by table; never one before the declared start.

    Raises:
        UsageError: The stage has no inputs to wait for.
        NotDue: The stage cannot run for this day, whatever will be published.
    """
    try:
        rule = _NEEDS[stage]
    except KeyError:
        raise UsageError(f"The stage {stage!r} waits for nothing.", expected=", ".join(_NEEDS)) from None
    return rule(pipeline, partition)


def upstream(pipeline: Pipeline, stage: str, partition: date, settings: Settings) -> Needs:
    """Return the runs whose end a stage waits for when they are queued or under way: their days, by their stage.

    What is published may be about to change: a blocked day that is ingested again, a correction on its way. Scoring
    waits for trainings that may still change its champion: those of the champion's day and later. Its day is read from
    the ledger, because the gate refuses a challenger of an earlier day as older.

    Args:
        pipeline: The declaration.
        stage: `features`, `train` or `score`.
        partition: The day to run.
        settings: Where the ledger is.

    Raises:
        UsageError: The stage has no inputs to wait for.
        NotDue: The stage cannot run for this day, whatever will be published.
    """
    days: dict[str, set[date]] = {}
    for table, read in needs(pipeline, stage, partition).items():
        days.setdefault("features" if table.startswith("features.") else "ingest", set()).update(read)
    if stage == "score":
        champion = Ledger(settings.state_url).head(pipeline.name)
        days["train"] = set(training_days(pipeline, partition, champion.as_of if champion else None))
    return {name: sorted(each) for name, each in days.items()}


def training_days(pipeline: Pipeline, last: date, first: date | None = None) -> list[date]:
    """Return the days of trainings up to ``last``: from ``first`` on, but none before the declared start."""
    start = pipeline.schedule.start
    return local_days(max(start, first or start), last, pipeline.schedule.timezone)


def scored_days(pipeline: Pipeline, partition: date) -> list[date]:
    """Return the days of the training window: scored days whose labels are known as of a partition."""
    newest = partition - pipeline.label.matures_after
    return pipeline.schedule.window(newest, pipeline.train.window.max.days)


def fewest_days(pipeline: Pipeline, partition: date) -> int:
    """Return how many days the shortest training window has: those of the calendar that the zone had."""
    newest, days = partition - pipeline.label.matures_after, pipeline.train.window.min.days
    return len(local_days(newest - timedelta(days=days - 1), newest, pipeline.schedule.timezone))


def mature_days(pipeline: Pipeline, days: list[date], partition: date, lake: Lake) -> list[date]:
    """Return those of some scored days for which everything is published that their labels can be in.

    One label less would be a wrong one where no label means that nothing happened; where it means nothing, the labels
    that are there would be no fair sample.

    Args:
        pipeline: The declaration.
        days: Days whose labels are due by then.
        partition: The as-of.
        lake: The tables, as they are read.
    """
    lasts = pipeline.label.matures_after
    there = {table: set(lake.partitions(table)) for table in label_inputs(pipeline, days, partition)}
    wanted = {day: label_inputs(pipeline, [day], day + lasts) for day in days}
    return [day for day in days if all(there[table].issuperset(needed) for table, needed in wanted[day].items())]


def usable_days(pipeline: Pipeline, days: list[date], partition: date, lake: Lake) -> list[date]:
    """Return those of some scored days whose rows, features and labels are all published.

    Args:
        pipeline: The declaration.
        days: Days whose labels are due by then.
        partition: The as-of.
        lake: The tables, as they are read.
    """
    views = [f"features.{name}" for name in pipeline.features.views]
    tables = [f"raw.{pipeline.score.entities}", *views, *([LABELS] if label_table(pipeline) == LABELS else [])]
    there = set.intersection(*(set(lake.partitions(table)) for table in tables))
    # What a query reads was published whole when its labels were computed.
    labelled = days if pipeline.label.sql else mature_days(pipeline, days, partition, lake)
    return [day for day in labelled if day in there]


def require_whole_days(pipeline: Pipeline, partition: date, days: Sized, settings: Settings) -> None:
    """Make sure that the training window has as many whole days as it needs at least.

    Raises:
        NotDue: It has not; the error names the gaps.
    """
    expected = fewest_days(pipeline, partition)
    if len(days) < expected:
        raise NotDue(
            f"The training window as of {partition} has gaps: {len(days)} of {expected} days are whole; "
            f"{readiness(pipeline, 'train', partition, settings)}.",
            do="publish the days, then run again",
        )


def own_labels(pipeline: Pipeline) -> str | None:
    """Return the table whose rows are scored and have their label in a column of their own, None where none does."""
    return pipeline.label.table if pipeline.label.table == pipeline.score.entities else None


def label_table(pipeline: Pipeline) -> str:
    """Return the table of the lake that labels are read from."""
    return LABELS if pipeline.label.sql or own_labels(pipeline) else f"raw.{pipeline.label.table}"


def label_days(pipeline: Pipeline, days: list[date], partition: date) -> list[date]:
    """Return the days on which labels of scored days may have been published, up to a partition."""
    if label_table(pipeline) == LABELS:
        return days
    return local_days(days[0] + timedelta(days=1), partition, pipeline.schedule.timezone) if days else []


def label_inputs(pipeline: Pipeline, days: list[date], partition: date) -> Needs:
    """Return the days that labels of scored days are read or computed from, by table, up to a partition."""
    if pipeline.label.sql is None:
        return {label_table(pipeline): label_days(pipeline, days, partition)}
    until = local_days(days[0], partition, pipeline.schedule.timezone) if days else []
    return {f"raw.{table}": until for table in pipeline.label.reads or ()}


def training_inputs(pipeline: Pipeline, partition: date) -> Needs:
    """Return what a training set is read from: what is awaited, or labels in place of what a query computes them from.

    Raises:
        NotDue: The training cannot run for this day, whatever will be published.
    """
    wanted = needs(pipeline, "train", partition)
    if pipeline.label.sql is None:
        return wanted
    days, scored = scored_days(pipeline, partition), f"raw.{pipeline.score.entities}"
    views = {table: read for table, read in wanted.items() if table.startswith("features.")}
    return {scored: days, LABELS: days, **views}


def _features(pipeline: Pipeline, partition: date) -> Needs:
    look_back: dict[str, int] = {}
    for view in pipeline.features.views.values():
        for table in view.reads:
            look_back[table] = max(look_back.get(table, 0), view.window.days)
    return {f"raw.{table}": pipeline.schedule.window(partition, days) for table, days in look_back.items()}


def _train(pipeline: Pipeline, partition: date) -> Needs:
    days, expected = scored_days(pipeline, partition), fewest_days(pipeline, partition)
    if len(days) < expected:
        raise NotDue(
            f"Training needs {expected} days with known labels; as of {partition} there are {len(days)} of "
            f"{expected} days since the start on {pipeline.schedule.start}."
        )
    views = {f"features.{name}": days for name in pipeline.features.views}
    return {f"raw.{pipeline.score.entities}": days, **label_inputs(pipeline, days, partition), **views}


def _score(pipeline: Pipeline, partition: date) -> Needs:
    today = [partition]
    return {f"raw.{pipeline.score.entities}": today, **{f"features.{name}": today for name in pipeline.features.views}}


_NEEDS: dict[str, Callable[[Pipeline, date], Needs]] = {"features": _features, "train": _train, "score": _score}
