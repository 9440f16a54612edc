"""Two pipelines in one real state database, with what the state machine does to them."""

import dataclasses
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from functools import cached_property
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, event, make_url, text

from airloom.core.gate import decide as judge
from airloom.core.pipeline import Pipeline
from airloom.core.rules import Promotion
from airloom.core.settings import Settings
from airloom.core.verdict import Case, Comparison, Effect, Judged, Proof, SliceEffect, Verdict
from airloom.stores.ledger import Champion, Ledger
from airloom.stores.models import ModelRegistry
from airloom.stores.pins import Pins
from airloom.stores.tracking import experiment_id, open_client
from tests.faults.ledger_model import Row
from tests.worlds import registered
from tests.worlds.nights import NIGHT, pipeline_with

NAMES = ("late", "early")
#: Each begins with these versions; the last one was trained by the other pipeline.
VERSIONS, FOREIGN = 4, 4

_PIPELINE = pipeline_with()
#: The alias, the epoch that was noted with it, pins and notes.
_QUERIES = (
    "SELECT version FROM registered_model_aliases WHERE alias = 'champion' AND name = :name",
    "SELECT value FROM registered_model_tags WHERE key = 'airloom.champion_epoch' AND name = :name",
    "SELECT pinned FROM airloom_pins WHERE pipeline = :name ORDER BY number",
    "SELECT kind, subject, actor FROM airloom_night_notes WHERE pipeline = :name ORDER BY decided_at",
)


class Killed(BaseException):
    """The process is dead; nothing may catch it."""


@dataclasses.dataclass(frozen=True)
class Evaluated:
    """A challenger that was compared with the champion of its day, and what is planted in it."""

    pipeline: str
    version: int
    day: date
    champion: Row | None
    planted: str


@dataclasses.dataclass(frozen=True)
class Template:
    """A state database that is copied for every life of the machine, and the tags of the one model that is trained."""

    settings: Settings
    tags: dict[str, str]

    def bring_back(self, settings: Settings) -> None:
        """Let a state database be a copy; where it is the same one again, MLflow's client need not be opened anew.

        The lake goes: it would know champions that the copy has not.
        """
        shutil.rmtree(settings.lake, ignore_errors=True)
        if not settings.state_url.startswith("sqlite"):
            return _copy_database(self.settings.state_url, settings.state_url)
        there, here = (Path(each.state_url.removeprefix("sqlite:///")) for each in (self.settings, settings))
        here.parent.mkdir(parents=True, exist_ok=True)
        for file in here.parent.glob(f"{here.name}*"):
            file.unlink()
        for file in there.parent.glob(f"{there.name}*"):
            shutil.copy(file, here.parent)
        return None


def _copy_database(there: str, here: str) -> None:
    """Let PostgreSQL copy a database that nobody is connected to."""
    names = [make_url(each).database for each in (here, there)]
    server = create_engine(make_url(here).set(database="postgres"), isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.execute(text(f'DROP DATABASE IF EXISTS "{names[0]}" WITH (FORCE)'))
        connection.execute(text(f'CREATE DATABASE "{names[0]}" TEMPLATE "{names[1]}"'))
    server.dispose()


def make(settings: Settings) -> Template:
    """Train one model and register it often enough for both pipelines."""
    registered.register(settings)
    Ledger(settings.state_url).head(registered.PIPELINE)  # Makes its tables: a process does so once for a database.
    tags = dict(open_client(settings).get_model_version(registered.PIPELINE, "1").tags)
    for name in NAMES:
        while _newest(settings, name) < VERSIONS - 1:
            register(settings, name, tags)
        register(settings, name, tags, trained_by="another")
    return Template(settings, tags)


def register(settings: Settings, name: str, tags: dict[str, str], trained_by: str | None = None) -> int:
    """Register one more version, of a new run with the model that is there: saving a model takes most of the time."""
    tags = {**tags, "airloom.pipeline": trained_by or name}
    run = open_client(settings).create_run(experiment_id(settings, name), tags=tags)
    return ModelRegistry(settings, name).register(run.info.run_id, {})


def declared(name: str, *, adopts: bool = False, asks: bool = False) -> Pipeline:
    promotion = Promotion(alias_drift="adopt" if adopts else "repair", approval="required" if asks else "none")
    return _PIPELINE.model_copy(update={"name": name, "promotion": promotion})


def judged(settings: Settings, evaluated: Evaluated) -> Verdict:
    """Lay an evaluation before the gate and record the verdict, as the step decide does."""
    ledger, pin = Ledger(settings.state_url), Pins(settings.state_url).current(evaluated.pipeline)
    planted, champion = evaluated.planted, evaluated.champion
    compared = champion is not None and planted != "incomparable"
    case = Case(
        pipeline=evaluated.pipeline,
        partition=evaluated.day,
        challenger=_scored(evaluated.version, evaluated.day, 0.5 if planted == "weak" else 0.8),
        champion=champion and _scored(champion.version, champion.day, 0.7 if compared else None),
        head=ledger.head(evaluated.pipeline),
        comparison=_comparison(planted) if compared else None,
        proof=Proof(version=evaluated.version, rows=500, problem="no such class" if planted == "broken" else None),
        training_digest="t",
        pipeline_digest="d",
        pinned=str(pin) if pin else None,
    )
    verdict = judge(case, _PIPELINE.gate)
    ledger.record(verdict)
    return verdict


@dataclasses.dataclass(frozen=True)
class Reader:
    """Reads what there is besides the ledger straight from the tables: MLflow's client takes many times as long."""

    settings: Settings

    @cached_property
    def database(self) -> Connection:
        return create_engine(self.settings.state_url, isolation_level="AUTOCOMMIT").connect()

    def close(self) -> None:
        self.database.close()
        self.database.engine.dispose()

    def durable(self, name: str, history: Sequence[Champion]) -> tuple[object, ...]:
        """Return what the stores know, in the words of the model."""
        alias, noted, pins, notes = (self._ask(each, name) for each in _QUERIES)
        rows = tuple(row_of(each) for each in history)
        pinned = tuple(bool(each[0]) for each in pins)
        return rows, alias[0][0] if alias else None, int(noted[0][0]) if noted else 0, pinned, tuple(notes)

    def _ask(self, query: str, name: str) -> list[tuple[object, ...]]:
        return [tuple(row) for row in self.database.execute(text(query), {"name": name})]


def row_of(champion: Champion) -> Row:
    return Row(champion.version, champion.effective_from, champion.verdict, champion.actor, champion.reason)


@contextmanager
def killed_before_commit(number: int | None) -> Iterator[None]:
    """Let the process die before a commit to the state database, and so between any two durable effects.

    Args:
        number: Before which one, from 0; None when it lives on.
    """
    passed = 0

    def die(_connection) -> None:
        nonlocal passed
        passed += 1
        if number is not None and passed > number:
            raise Killed

    event.listen(Engine, "commit", die)
    try:
        yield
    finally:
        event.remove(Engine, "commit", die)


def _newest(settings: Settings, name: str) -> int:
    found = open_client(settings).search_model_versions(f"name = '{name}'")
    return max((int(each.version) for each in found), default=0)


def _scored(version: int, day: date, auc: float | None) -> Judged:
    return Judged(version=version, as_of=day, rows=500, rows_digest="r", metrics={"roc_auc": auc})


def _comparison(planted: str) -> Comparison:
    real = Effect(metric="roc_auc", challenger=0.8, champion=0.7, gain=0.1, lower=0.05, upper=0.2, samples=100)
    worse = real.model_copy(update={"challenger": 0.5, "gain": -0.2, "lower": -0.3, "upper": -0.1})
    effect = real.model_copy(update={"lower": -0.05}) if planted == "tie" else real
    value = worse if planted == "worse slice" else real
    return Comparison(effect=effect, slices=(SliceEffect(column="origin", value="JFK", rows=250, effect=value),))


def day_of(number: int) -> date:
    return date.fromordinal(NIGHT.toordinal() + number)
