"""The same days and the same night with all that is shared in a folder, and in a bucket: the same comes of it."""

import dataclasses
from datetime import date, timedelta
from pathlib import Path

import pytest

from airloom.core.errors import DataError
from airloom.core.settings import Settings
from airloom.launcher.status import read_status
from airloom.steps.assemble import assemble
from airloom.steps.compare import compare
from airloom.steps.compute import compute
from airloom.steps.evaluate import evaluate
from airloom.steps.extract import extract
from airloom.steps.fit import fit
from airloom.steps.label import compute_labels
from airloom.steps.publish import publish
from airloom.steps.readiness import readiness
from airloom.steps.references import load_reference
from airloom.steps.reproduce import reproduce
from airloom.steps.training_sets import training_files
from airloom.steps.vacuum import vacuum
from airloom.steps.validate import validate
from airloom.stores.files import files_below
from airloom.stores.lake import Lake
from airloom.stores.quarantine import Quarantine
from tests.worlds import trips as toy
from tests.worlds.flights import START, flight_pipeline, flights_at
from tests.worlds.installation import project_at, settings_at
from tests.worlds.installation import publish as publish_rows
from tests.worlds.late_labels.days import PROJECT, days_until, declared, first_night
from tests.worlds.nights import NIGHT
from tests.worlds.reproducible import RATE, correct, make, promote

pytestmark = pytest.mark.filterwarnings("ignore:module 'sre_:DeprecationWarning")

DAYS = [START + timedelta(days=later) for later in range(3)]


def kept(settings: Settings) -> set[str]:
    """Name what is kept beside the tables, whose files have random names."""
    folders = (settings.staging, settings.quarantine, settings.validations, settings.training)
    return {str(each.place.relative_to(settings.shared)) for folder in folders for each in files_below(folder)}


def ingested(settings: Settings):
    """Ingest days of the flights, and compute the features of the last."""
    pipeline = flight_pipeline()
    for day in DAYS:
        extract(pipeline, day, settings)
        publish(pipeline, day, settings, [validate(pipeline, day, table, settings) for table in pipeline.tables])
    computed = compute(pipeline, DAYS[-1], settings)
    lake = Lake(settings.lake / pipeline.name)
    waiting = readiness(pipeline, "score", DAYS[-1] + timedelta(days=1), settings)
    facts = {table: lake.commit_facts(table, lake.commit(table)) for table in lake.tables()}
    published = {table: lake.partitions(table) for table in lake.tables()}
    return computed, published, facts, str(waiting), kept(settings), read_status(pipeline, settings).stages


@pytest.fixture
def folder(tmp_path):
    return flights_at(tmp_path / "one")


def test_days_are_ingested_and_their_features_computed_alike(folder, bucket, tmp_path):
    shared = dataclasses.replace(flights_at(tmp_path / "two"), storage=bucket)
    expected, found = ingested(folder), ingested(shared)
    assert len(expected[1]) == 10
    assert found == expected
    assert not (tmp_path / "two" / "var" / "lake").exists()


def test_a_blocked_day_is_stopped_in_a_bucket_too(tmp_path, bucket, monkeypatch):
    settings = dataclasses.replace(toy.installation(tmp_path), storage=bucket)
    toy.returning(monkeypatch, trips=toy.ordinary_day(toy.DAY)["trips"].assign(minutes=1000.0))
    toy.staged(settings)
    audits = toy.audits(settings)
    with pytest.raises(DataError, match="nothing is published"):
        publish(toy.trips_pipeline(), toy.DAY, settings, audits)
    quarantine = Quarantine(settings.quarantine / "toy")
    assert quarantine.blocked_days("trips") == {toy.DAY}
    assert quarantine.rows("trips", toy.DAY).num_rows == 40


def labelled(settings: Settings):
    """Compute the labels of a night by a query, correct what it reads, and compute them again."""
    pipeline = declared("churn")
    label = pipeline.label.model_copy(update={"table": None, "sql": Path("sql/churned.sql"), "reads": ("outcomes",)})
    queried, night = pipeline.model_copy(update={"label": label}), first_night(pipeline)

    def arrive(source: str, day: date) -> None:
        for table, rows in load_reference(f"include.churn.source:{source}", PROJECT)(day).items():
            publish_rows(settings, "churn", f"raw.{table}", day, rows)

    for day in days_until(pipeline, night):
        arrive("extract", day)
    first = compute_labels(queried, night, settings)
    arrive("mistaken", night - timedelta(days=2))
    return first, compute_labels(queried, night, settings)


@pytest.mark.usefixtures("module_include")
def test_labels_by_a_query_are_computed_alike(bucket, tmp_path):
    folder = settings_at(tmp_path / "one", project=PROJECT)
    shared = settings_at(tmp_path / "two", project=PROJECT, storage=bucket)
    expected, found = labelled(folder), labelled(shared)
    assert expected[1].changed > 0
    assert found == expected
    assert not (tmp_path / "two" / "var" / "lake").exists()


def trained(settings: Settings):
    """Train, judge and compare a night's candidate, then correct days, free what nobody needs, and train it again."""
    pipeline = make(settings, RATE)
    training = assemble(pipeline, NIGHT, settings)
    fitted = fit(pipeline, NIGHT, "one", training, settings)
    first = evaluate(pipeline, NIGHT, training, [fitted], None, settings)
    promote(first.challenger_version, settings)
    second = evaluate(pipeline, NIGHT, training, [fitted], first.challenger_version, settings)
    compared = compare(pipeline, second, settings)
    names = [file.name for file in training_files(pipeline, NIGHT, settings)]
    for distance in (100, 200):
        correct(settings, distance=distance)
    freed = vacuum(pipeline, timedelta(0), settings).freed
    again = reproduce(pipeline, first.challenger_version, settings)
    told = training.digest, training.lake, second.metrics, second.rows_digest, compared, names, kept(settings)
    return told, {each.name: each.files for each in freed if each.files}, again.identical


def test_a_night_is_trained_judged_and_made_again_alike(tmp_path, bucket):
    expected = trained(project_at(tmp_path / "one"))
    found = trained(dataclasses.replace(project_at(tmp_path / "two"), storage=bucket))
    assert found == expected
    assert found[1:] == ({"raw.schedule": 1}, True)
    assert not (tmp_path / "two" / "var" / "training").exists()
