"""Corrections of what a version was trained on are named; what it has not read is not."""

import shutil
from datetime import date

import pyarrow as pa
import pytest

from airloom.core.partitions import day_range
from airloom.core.verdict import Judged, Proof, Verdict
from airloom.steps.assemble import assemble
from airloom.steps.superseded import superseded
from airloom.stores.content import content_version
from airloom.stores.lake import Lake, PartitionVersion
from tests.worlds.installation import publish, settings_at
from tests.worlds.nights import NIGHT
from tests.worlds.small_lake import PIPELINE, START, flights_on, publish_days, rates_on, schedule_on


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    folder = tmp_path_factory.mktemp("published")
    publish_days(settings_at(folder), day_range(START, NIGHT))
    return folder


@pytest.fixture
def settings(published, tmp_path):
    shutil.copytree(published, tmp_path, dirs_exist_ok=True)
    return settings_at(tmp_path)


def judged(settings):
    """A verdict on a version that is trained on what is published now."""
    training = assemble(PIPELINE, NIGHT, settings)
    return Verdict(
        pipeline="late",
        partition=NIGHT,
        challenger=Judged(version=1, as_of=NIGHT, rows=40, rows_digest="r", metrics={}),
        champion=None,
        head=None,
        proof=Proof(version=1),
        training_digest=training.digest,
        pipeline_digest=PIPELINE.digest,
        outcome="first",
        checks=(),
        lake=training.lake,
    )


def test_nothing_is_superseded_until_something_is_corrected(settings):
    verdict, lake = judged(settings), Lake(settings.lake / "late")
    day = date(2024, 1, 6)
    publish(settings, "late", "raw.flights", day, flights_on(day).sample(frac=1, random_state=1))
    publish(settings, "late", "raw.flights", START, flights_on(START).assign(late=1.0))
    assert superseded(PIPELINE, verdict, lake) == []


def test_features_that_were_computed_again_with_the_same_result_are_not_superseded(settings):
    verdict, day, lake = judged(settings), date(2024, 1, 6), Lake(settings.lake / "late")
    rows = pa.Table.from_pandas(rates_on(day), preserve_index=False)
    lake.replace("features.carrier_delays", PartitionVersion(day, content_version(rows), "another-query"), rows)
    assert superseded(PIPELINE, verdict, lake) == []


@pytest.mark.parametrize(
    ("table", "day", "rows"),
    [
        ("raw.flights", NIGHT, flights_on(NIGHT).assign(late=1.0)),
        ("raw.schedule", date(2024, 1, 9), schedule_on(date(2024, 1, 9)).assign(distance=1)),
        ("features.carrier_delays", date(2024, 1, 4), rates_on(date(2024, 1, 4)).assign(late_rate=1.0)),
    ],
)
def test_a_correction_of_what_was_trained_on_is_named(settings, table, day, rows):
    verdict, lake = judged(settings), Lake(settings.lake / "late")
    publish(settings, "late", table, day, rows)
    assert superseded(PIPELINE, verdict, lake) == [f"{table} {day}"]


def test_a_table_whose_commit_is_gone_is_left_out(settings):
    verdict = judged(settings)
    gone = verdict.model_copy(update={"lake": {"raw.flights": 9999}})
    assert superseded(PIPELINE, gone, Lake(settings.lake / "late")) == []
