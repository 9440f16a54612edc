"""Where every pipeline is: read from lake, quarantine and ledger, so that Airflow need not run."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, datetime

from pydantic import BaseModel, ConfigDict

from airloom.core.circuit import Pause
from airloom.core.pipeline import Pipeline
from airloom.core.settings import Settings
from airloom.core.verdict import Verdict
from airloom.steps.circuit import current_pause
from airloom.steps.label_inputs import LabelInputs
from airloom.steps.outcomes import PREDICTIONS
from airloom.steps.readiness import LABELS
from airloom.steps.staleness import Staleness
from airloom.steps.standing import standing
from airloom.steps.superseded import superseded
from airloom.stores.lake import Lake, PartitionVersion
from airloom.stores.ledger import Champion, Ledger
from airloom.stores.ledger_mark import require_ledger
from airloom.stores.pins import Pins
from airloom.stores.quarantine import Quarantine
from airloom.stores.withdrawals import Withdrawal, Withdrawals


class Fact(BaseModel):
    """A frozen value that prints as JSON."""

    model_config = ConfigDict(frozen=True)


class StageStatus(Fact):
    """What one stage has published.

    Args:
        stage: The stage.
        partitions: How many days are complete; of features and labels, current.
        latest: The newest of them.
        degraded: How many carry a warning.
        blocked: How many days are in quarantine instead, or were taken back.
    """

    stage: str
    partitions: int
    latest: date | None
    degraded: int = 0
    blocked: int = 0


class ChampionStatus(Fact):
    """The champion of now.

    Args:
        version: Its registered version.
        epoch: Its epoch in the ledger.
        effective_from: The partition from which it is effective.
        actor: Who or what made it champion.
        reason: Why.
        superseded: Partitions that it was trained on and that have been corrected since.
        standing: What its predictions were worth beside a constant; None before a week of their labels has arrived.
        worse_since: The day since which they are worse than that; None when they are not.
    """

    version: int
    epoch: int
    effective_from: date
    actor: str
    reason: str
    superseded: tuple[str, ...] = ()
    standing: str | None = None
    worse_since: date | None = None


class VerdictStatus(Fact):
    """The verdict on the newest night that has one."""

    partition: date
    outcome: str
    challenger: int
    reasons: str


class PauseStatus(Fact):
    """Training is paused.

    Args:
        until: The night that is tried again; an earlier one only when the data has changed.
        nights: The nights that brought no usable challenger.
        why: The same in words.
    """

    until: date
    nights: tuple[date, ...]
    why: str


class WithdrawnStatus(Fact):
    """A published day that a person has taken back, and that was not published again.

    Args:
        table: The table of the lake.
        partition: The day.
        version: Digest of its content.
        actor: Who.
        reason: Why.
        decided_at: When.
        done: Whether nothing is left to be done.
    """

    table: str
    partition: date
    version: str
    actor: str
    reason: str
    decided_at: datetime
    done: bool


class PipelineStatus(Fact):
    """Where one pipeline is.

    Args:
        pipeline: Its name.
        stages: What each stage has published.
        champion: The champion of now.
        verdict: The verdict on the newest night that has one.
        pinned: What is pinned, by whom and why.
        paused: Why training is paused.
        stale: By view, the days whose features are not what today's inputs, SQL and types give.
        stale_labels: The days whose labels are not what today's inputs and query give.
        withdrawn: Days that were taken back.
    """

    pipeline: str
    stages: tuple[StageStatus, ...]
    champion: ChampionStatus | None
    verdict: VerdictStatus | None
    pinned: str | None = None
    paused: PauseStatus | None = None
    stale: dict[str, tuple[date, ...]] = {}
    stale_labels: tuple[date, ...] = ()
    withdrawn: tuple[WithdrawnStatus, ...] = ()


def read_status(pipeline: Pipeline, settings: Settings) -> PipelineStatus:
    """Look up where a pipeline is.

    Args:
        pipeline: The pipeline.
        settings: Where everything is.

    Raises:
        SetupError: The ledger lacks champions that the lake knows of.
    """
    require_ledger(pipeline.name, settings)
    lake = Lake(settings.lake / pipeline.name)
    ledger = Ledger(settings.state_url)
    pin = Pins(settings.state_url).current(pipeline.name)
    history, verdicts = ledger.history(pipeline.name), ledger.verdicts(pipeline.name)
    stale, stale_labels = _stale(pipeline, settings), _stale_labels(pipeline, settings, lake)
    current = lake.without({f"features.{name}": days for name, days in stale.items()} | {LABELS: stale_labels})
    withdrawn = list(Withdrawals.of(pipeline.name, settings).lasting().values())
    return PipelineStatus(
        pipeline=pipeline.name,
        stages=(
            _ingest(pipeline, settings, lake, withdrawn),
            _features(pipeline, settings, current, withdrawn),
            *([_stage("label", current, [LABELS], withdrawn)] if pipeline.label.sql else []),
            _train(verdicts),
            _stage("score", lake, [PREDICTIONS], withdrawn),
        ),
        champion=_champion(pipeline, history[-1], verdicts, settings) if history else None,
        verdict=_verdict(max(reversed(verdicts), key=lambda verdict: verdict.partition)) if verdicts else None,
        pinned=str(pin) if pin else None,
        paused=_pause(current_pause(pipeline, None, settings)),
        stale=stale,
        stale_labels=stale_labels,
        withdrawn=tuple(_withdrawn(each) for each in withdrawn),
    )


def complete_days(lake: Lake, tables: list[str]) -> dict[date, list[PartitionVersion]]:
    """Return the days that every one of some tables has published, oldest first, with their versions."""
    published = [lake.partitions(table) for table in tables]
    days = set.intersection(*(set(each) for each in published))
    return {day: [each[day] for each in published] for day in sorted(days)}


def _stage(
    stage: str, lake: Lake, tables: list[str], withdrawn: list[Withdrawal], stopped: Collection[date] = ()
) -> StageStatus:
    days = complete_days(lake, tables)
    blocked = {*stopped, *(each.partition for each in withdrawn if each.table in tables)}
    return StageStatus(
        stage=stage,
        partitions=len(days),
        latest=max(days, default=None),
        degraded=sum(any(version.degraded for version in versions) for versions in days.values()),
        blocked=len(blocked),
    )


def _stale(pipeline: Pipeline, settings: Settings) -> dict[str, tuple[date, ...]]:
    found: dict[str, list[date]] = {}
    for name, day in Staleness.read(pipeline, settings).everywhere():
        found.setdefault(name, []).append(day)
    return {name: tuple(days) for name, days in found.items()}


def _stale_labels(pipeline: Pipeline, settings: Settings, lake: Lake) -> tuple[date, ...]:
    return LabelInputs.read(pipeline, lake, settings).stale() if pipeline.label.sql else ()


def _ingest(pipeline: Pipeline, settings: Settings, lake: Lake, withdrawn: list[Withdrawal]) -> StageStatus:
    stopped = _blocked(pipeline, settings, list(pipeline.tables))
    return _stage("ingest", lake, [f"raw.{table}" for table in pipeline.tables], withdrawn, stopped)


def _features(pipeline: Pipeline, settings: Settings, lake: Lake, withdrawn: list[Withdrawal]) -> StageStatus:
    tables = [f"features.{name}" for name in pipeline.features.views]
    return _stage("features", lake, tables, withdrawn, _blocked(pipeline, settings, tables))


def _blocked(pipeline: Pipeline, settings: Settings, tables: list[str]) -> set[date]:
    """Return the days on which any of some tables is in quarantine instead of published."""
    quarantine = Quarantine(settings.quarantine / pipeline.name)
    return set().union(*(quarantine.blocked_days(table) for table in tables))


def _withdrawn(found: Withdrawal) -> WithdrawnStatus:
    return WithdrawnStatus(**{name: getattr(found, name) for name in WithdrawnStatus.model_fields})


def _train(verdicts: list[Verdict]) -> StageStatus:
    nights = {verdict.partition: verdict.degraded for verdict in verdicts}
    return StageStatus(
        stage="train", partitions=len(nights), latest=max(nights, default=None), degraded=sum(nights.values())
    )


def _champion(pipeline: Pipeline, row: Champion, verdicts: list[Verdict], settings: Settings) -> ChampionStatus:
    trained = [verdict for verdict in verdicts if verdict.challenger.version == row.version]
    lake, found = Lake(settings.lake / pipeline.name), standing(pipeline, settings)
    return ChampionStatus(
        version=row.version,
        epoch=row.epoch,
        effective_from=row.effective_from,
        actor=row.actor,
        reason=row.reason,
        superseded=tuple(superseded(pipeline, trained[-1], lake)) if trained else (),
        standing=str(found) if found else None,
        worse_since=found.since if found else None,
    )


def _pause(found: Pause | None) -> PauseStatus | None:
    if found is None:
        return None
    return PauseStatus(until=found.until, nights=tuple(night.partition for night in found.nights), why=found.why)


def _verdict(verdict: Verdict) -> VerdictStatus:
    return VerdictStatus(
        partition=verdict.partition,
        outcome=verdict.outcome,
        challenger=verdict.challenger.version,
        reasons=verdict.reasons,
    )
