"""A project with a real lake, and a version of a model that was trained, evaluated and made champion there."""

from datetime import date, timedelta

from airloom.core.partitions import day_range
from airloom.core.pipeline import Pipeline
from airloom.core.settings import Settings
from airloom.steps.assemble import assemble
from airloom.steps.evaluate import evaluate
from airloom.steps.fit import fit
from airloom.stores.ledger import Ledger
from tests.worlds.installation import publish
from tests.worlds.nights import NIGHT
from tests.worlds.small_lake import START, flights_on, publish_days, schedule_on
from tests.worlds.two_nights import declare

NIGHT_BEFORE = NIGHT - timedelta(days=1)
CORRECTED = NIGHT - timedelta(days=4)
RATE = {"fit": "tests.worlds.candidates:by_rate", "params": {"share": 0.5}}


def make(settings: Settings, candidate: dict) -> Pipeline:
    """Declare a pipeline with one candidate and publish its days."""
    pipeline = declare(settings, {"one": candidate})
    publish_days(settings, day_range(START, NIGHT), rows=60)
    return pipeline


def train(pipeline: Pipeline, settings: Settings, night: date = NIGHT) -> int:
    """Train, evaluate and register a version."""
    training = assemble(pipeline, night, settings)
    fitted = fit(pipeline, night, "one", training, settings)
    return evaluate(pipeline, night, training, [fitted], None, settings).challenger_version


def promote(version: int, settings: Settings, night: date = NIGHT) -> None:
    """Make a version champion."""
    ledger = Ledger(settings.state_url)
    champion = {"effective_from": night, "version": version, "verdict": None, "actor": "ann", "reason": "for a test"}
    ledger.promote("late", expected_epoch=len(ledger.history("late")), **champion)


def correct(settings: Settings, day: date = CORRECTED, distance: int = 500) -> None:
    """Publish other distances of the rows that are scored on a day, and other labels of theirs."""
    publish(settings, "late", "raw.schedule", day, schedule_on(day, 60).assign(distance=distance))
    flown = flights_on(day + timedelta(days=1), 60)
    publish(settings, "late", "raw.flights", day + timedelta(days=1), flown.assign(late=1 - flown["late"]))
