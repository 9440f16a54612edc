"""What must hold after every fault, checked by one function."""

import json
import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass

from sqlalchemy import create_engine, text

from airloom.core.errors import AirloomError
from airloom.core.settings import Settings
from airloom.core.verdict import Verdict
from airloom.stores.content import content_version
from airloom.stores.features import open_feature_store
from airloom.stores.lake import Lake
from airloom.stores.ledger import Champion, Ledger
from airloom.stores.models import ModelRegistry
from airloom.stores.partition_columns import PARTITION_COLUMNS
from airloom.stores.pins import Pins
from airloom.stores.tracking import experiment_id, open_client
from airloom.stores.withdrawals import Withdrawal, Withdrawals
from tests.faults.scenario import DRIVERS, FEATURES, PIPELINE
from tests.worlds import feature_lake

_VIEW = "features.driver"


@dataclass(frozen=True)
class Observation:
    """What there is at one moment, to be compared with what there is later."""

    history: tuple[Champion, ...]
    alias: int | None
    event_times: Mapping[str, int]
    withdrawals: tuple[Withdrawal, ...]


def observe(settings: Settings) -> Observation:
    registry = ModelRegistry(settings, PIPELINE)
    history = tuple(Ledger(settings.state_url).history(PIPELINE))
    events = {entity: event for entity, event, *_ in _online_rows(settings)}
    return Observation(history, registry.alias(), events, tuple(Withdrawals.of(FEATURES, settings).history()))


def check_invariants(settings: Settings, before: Observation | None = None, *, recovered: bool = True) -> Observation:
    """Check what must hold, and tell everything that does not.

    Args:
        settings: Where everything is.
        before: What was observed before the fault; nothing of it may have been taken back.
        recovered: Whether what was interrupted has been done again. Until then the alias may lag behind the ledger,
            and a run may seem to be running.

    Returns:
        What was observed, for the next check.
    """
    now = observe(settings)
    broken = [*_ledger(now), *_champion(settings, now), *_versions(settings), *_verdicts(settings), *_lake(settings)]
    broken += [*_online(settings), *(_never_taken_back(before, now) if before else ())]
    if recovered:
        broken += [*_alias(now), *_nothing_running(settings)]
    assert not broken, "\n".join(broken)
    return now


def end_state(settings: Settings) -> str:
    """Return all that a night is for, without moments, durations, random names and what failed attempts have left."""
    ledger, names = Ledger(settings.state_url), ("partition", "candidate", "training_digest", "rows_digest")
    verdicts = {each.id: each.model_dump_json(exclude={"id", "proof"}) for each in ledger.verdicts(PIPELINE)}
    champions = [
        {**vars(row), "decided_at": None, "verdict": verdicts.get(row.verdict)} for row in ledger.history(PIPELINE)
    ]
    versions = [[each.version, *(each.tags.get(f"airloom.{name}") for name in names)] for each in _registered(settings)]
    partitions = Lake(settings.lake / FEATURES).partitions(_VIEW).values()
    state = {
        "champions": champions,
        "alias": ModelRegistry(settings, PIPELINE).alias(),
        "versions": sorted(versions),
        "verdicts": sorted(verdicts.values()),
        "pins": [{**vars(row), "decided_at": None} for row in Pins(settings.state_url).history(PIPELINE)],
        "lake": [vars(each) for each in partitions],
        "online": _online_rows(settings),
        "newest": _newest_online(settings),
        "withdrawals": [{**vars(each), "decided_at": None} for each in Withdrawals.of(FEATURES, settings).history()],
        "told": told.read_text() if (told := settings.var / "told").exists() else None,
    }
    return json.dumps(state, indent=1, default=str)


def _ledger(now: Observation) -> Iterator[str]:
    epochs = [row.epoch for row in now.history]
    if epochs != list(range(1, len(epochs) + 1)):
        yield f"epochs are not 1, 2, 3 …, one champion each: {epochs}"
    for earlier, later in zip(now.history, now.history[1:], strict=False):
        if later.effective_from < earlier.effective_from and not later.reason.startswith("rollback:"):
            yield f"epoch {later.epoch} went back to {later.effective_from} and is no rollback: {later.reason}"


def _champion(settings: Settings, now: Observation) -> Iterator[str]:
    for version in {row.version for row in now.history[-1:]} | {now.alias} - {None}:
        try:
            ModelRegistry(settings, PIPELINE).load(version)
        except AirloomError as error:
            yield f"version {version} cannot be loaded: {error}"


def _alias(now: Observation) -> Iterator[str]:
    head = now.history[-1].version if now.history else None
    if now.alias != head:
        yield f"the alias is version {now.alias}, the ledger says {head}"


def _never_taken_back(before: Observation, now: Observation) -> Iterator[str]:
    if now.history[: len(before.history)] != before.history:
        yield "rows of the ledger were changed or removed"
    if before.alias is not None and now.alias not in (before.alias, now.history[-1].version):
        yield f"the alias was version {before.alias} and is {now.alias}, which is neither the old nor the new champion"
    for entity, event in before.event_times.items() if not now.withdrawals else ():
        if now.event_times.get(entity, 0) < event:
            yield f"the online row of {entity} went back in time or is gone"


def _versions(settings: Settings) -> Iterator[str]:
    finished = {run.info.run_id for run in _runs(settings, "FINISHED")}
    for run_id, count in Counter(each.run_id for each in _registered(settings)).items():
        if count > 1:
            yield f"run {run_id} is registered {count} times"
        if run_id not in finished:
            yield f"run {run_id} is registered and has not finished"


def _nothing_running(settings: Settings) -> Iterator[str]:
    yield from (f"run {run.info.run_id} seems to be running" for run in _runs(settings, "RUNNING"))


def _verdicts(settings: Settings) -> Iterator[str]:
    engine = create_engine(settings.state_url)
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT id, body FROM airloom_verdicts")).all()
    engine.dispose()
    for identifier, body in rows:
        if Verdict.model_validate_json(body).id != identifier:
            yield f"verdict {identifier} is not what its identifier stands for"


def _lake(settings: Settings) -> Iterator[str]:
    lake = Lake(settings.lake / FEATURES)
    for day, published in lake.partitions(_VIEW).items():
        rows = lake.dataset(_VIEW, [day]).to_table()
        if content_version(rows, ignore=PARTITION_COLUMNS) != published.version:
            yield f"{_VIEW} {day} is not the content that was committed"


def _online(settings: Settings) -> Iterator[str]:
    """A day's rows are written at once, so that all drivers have theirs of the same day, or none has any."""
    store = open_feature_store(feature_lake.small_pipeline(), settings)
    days = {event for _, event, *_ in _online_rows(settings)}
    rates = feature_lake.online(store, list(DRIVERS))
    if len(days) > 1 or {rate is None for rate in rates} != {not days}:
        yield f"the online store answers {rates}, with rows of {len(days)} days"


def _registered(settings: Settings) -> list:
    return list(open_client(settings).search_model_versions(f"name = '{PIPELINE}'"))


def _runs(settings: Settings, status: str) -> list:
    experiments = [experiment_id(settings, PIPELINE)]
    return list(open_client(settings).search_runs(experiments, f"attributes.status = '{status}'"))


def _newest_online(settings: Settings) -> list[tuple[int]]:
    with closing(sqlite3.connect(settings.online)) as connection:
        return connection.execute("SELECT newest_us FROM views ORDER BY name").fetchall()


def _online_rows(settings: Settings) -> list[tuple[str, int, int, str]]:
    query = "SELECT hex(entity), event_us, created_us, hex(features) FROM entities ORDER BY 1"
    with closing(sqlite3.connect(settings.online)) as connection:
        return connection.execute(query).fetchall()
