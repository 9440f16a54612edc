"""What a day and a night do, by the plain steps, without Airflow."""

from datetime import date

from airloom.core.pipeline import Pipeline
from airloom.core.settings import Settings
from airloom.steps.apply import apply
from airloom.steps.assemble import assemble
from airloom.steps.decide import decide
from airloom.steps.evaluate import evaluate
from airloom.steps.extract import extract
from airloom.steps.fit import fit
from airloom.steps.prove import prove
from airloom.steps.publish import publish
from airloom.steps.validate import validate
from airloom.stores.ledger import Ledger


def ingest(pipeline: Pipeline, day: date, settings: Settings) -> None:
    """Extract, validate and publish a day."""
    extract(pipeline, day, settings)
    publish(pipeline, day, settings, [validate(pipeline, day, table, settings) for table in pipeline.tables])


def train(pipeline: Pipeline, night: date, settings: Settings) -> None:
    """Train every candidate, judge them, and apply the verdict."""
    training = assemble(pipeline, night, settings)
    fitted = [fit(pipeline, night, candidate, training, settings) for candidate in pipeline.train.candidates]
    champion = Ledger(settings.state_url).champion_as_of(pipeline.name, night)
    evaluation = evaluate(pipeline, night, training, fitted, champion and champion.version, settings)
    decided = decide(pipeline, night, evaluation, prove(pipeline, night, evaluation, settings), settings)
    apply(pipeline, night, decided.verdict, settings, "test")
