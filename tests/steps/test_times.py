"""The times of rows: known or held back, in microseconds, and counted where they are far from their day."""

import json
from datetime import UTC, datetime, timedelta
from importlib import import_module

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from airloom.core.errors import DataError
from airloom.core.pipeline import Pipeline
from airloom.steps.extract import extract
from airloom.steps.publish import publish
from airloom.steps.times import far_times, floored, time_within
from airloom.steps.validate import validate
from airloom.stores.lake import Lake
from airloom.stores.quarantine import Quarantine
from airloom.stores.staging import Staging
from tests.worlds.late_labels.days import declared as late_labelled
from tests.worlds.trips import DAY, installation, ordinary_day, returning, trips_pipeline

STATIONS = "- {expectation: expect_column_values_to_be_unique, severity: critical, column: station}\n"
START = datetime(DAY.year, DAY.month, DAY.day, tzinfo=UTC)


@pytest.fixture
def settings(tmp_path):
    return installation(tmp_path, trips=STATIONS.replace("station", "trip_id"))


def trips(**columns):
    return ordinary_day(DAY)["trips"].assign(**columns)


def without(column, *rows):
    times = trips()[column]
    times.iloc[list(rows)] = pd.NaT
    return {column: times}


@pytest.mark.parametrize("column", ["started_at", "ended_at"])
def test_a_row_without_a_time_is_held_back_and_counted(column, settings, monkeypatch):
    pipeline = trips_pipeline()
    returning(monkeypatch, trips=trips(**without(column, 3, 7)))
    extract(pipeline, DAY, settings)
    audits = [validate(pipeline, DAY, table, settings) for table in pipeline.tables]
    assert (audits[0].outcome, audits[0].quarantined_rows) == ("quarantined", 2)
    published = publish(pipeline, DAY, settings, audits)
    assert published.quarantined_rows == 2
    rows = Lake(settings.lake / "toy").read("raw.trips", [DAY], columns=["trip_id", column])
    assert (len(rows), rows[column].isna().sum()) == (38, 0)
    reason = Quarantine(settings.quarantine / "toy").reason("trips", DAY)
    assert reason.reasons == (f"expect_column_values_to_not_be_null ({column}): 2 of 40 rows",)


def test_more_rows_without_a_time_than_may_be_held_back_block_the_day(settings, monkeypatch):
    pipeline = trips_pipeline()
    returning(monkeypatch, trips=trips(**without("started_at", 0, 1, 2), **without("ended_at", 2, 3, 4)))
    extract(pipeline, DAY, settings)
    audited = validate(pipeline, DAY, "trips", settings)
    assert audited.outcome == "blocked"
    assert [each.column for each in audited.failures] == ["started_at", "ended_at"]
    with pytest.raises(DataError, match="blocked"):
        publish(pipeline, DAY, settings, [audited, validate(pipeline, DAY, "stations", settings)])


def test_what_an_expectation_holds_back_already_is_counted_once(tmp_path, monkeypatch):
    suite = "- {expectation: expect_column_values_to_not_be_null, severity: critical, column: ended_at}\n"
    settings, pipeline = installation(tmp_path, trips=suite), trips_pipeline()
    returning(monkeypatch, trips=trips(**without("ended_at", 5)))
    extract(pipeline, DAY, settings)
    audited = validate(pipeline, DAY, "trips", settings)
    assert (audited.outcome, len(audited.failures), audited.expectations) == ("quarantined", 1, 1)


def test_the_audit_of_a_day_whose_times_are_known_says_nothing_of_it(settings):
    pipeline = trips_pipeline()
    extract(pipeline, DAY, settings)
    audited = validate(pipeline, DAY, "trips", settings)
    assert (audited.outcome, audited.expectations) == ("passed", 1)
    assert [each["expectation"] for each in json.loads((settings.validations / audited.result).read_text())["results"]]


@hypothesis_settings(deadline=None)
@given(st.lists(st.one_of(st.none(), st.integers(-(10**18), 10**18)), min_size=1), st.sampled_from(["UTC", "+05:30"]))
def test_nanoseconds_are_floored_and_counted(nanoseconds, zone):
    rows, lost = floored(pa.table({"at": pa.array(nanoseconds, pa.timestamp("ns", zone)), "n": nanoseconds}))
    kept = rows.column("at").cast(pa.timestamp("us", "UTC")).cast(pa.int64()).to_pylist()
    assert kept == [None if each is None else each // 1000 for each in nanoseconds]
    assert lost == sum(each is not None and each % 1000 != 0 for each in nanoseconds)


def test_other_units_are_left_alone():
    rows = pa.table({"at": pa.array([1, None], pa.timestamp("ms", "UTC")), "day": pa.array([1, 2], pa.date32())})
    assert floored(rows) == (rows, 0)


def test_what_was_floored_is_in_the_record_and_in_the_log(settings, monkeypatch, caplog):
    odd = trips()["ended_at"].astype("datetime64[ns, UTC]")
    odd.iloc[4] += pd.Timedelta(999, unit="ns")
    returning(monkeypatch, trips=trips(ended_at=odd))
    staged = extract(trips_pipeline(), DAY, settings)
    assert (staged.floored, staged.far) == ({"trips": 1}, {})
    assert "toy: 1 time of trips brought down to whole microseconds." in caplog.text
    times = Staging(settings.staging / "toy").read(DAY, "trips").column("ended_at").to_pylist()
    assert sorted(times) == sorted(trips()["ended_at"])


@pytest.mark.parametrize(
    ("declared", "hours", "far"),
    [
        (None, {0: -24, 1: 48 - 1 / 60}, {}),
        (None, {0: -24.1, 1: 48.1, 2: 48.2}, {"trips": 3}),
        ("3h", {0: -4, 1: 26}, {"trips": 1}),
        ("40d", {0: -900, 1: 900}, {}),
    ],
)
def test_rows_that_happened_far_from_their_day_are_counted_and_stay(
    declared, hours, far, settings, monkeypatch, caplog
):
    facts = trips_pipeline().model_dump(mode="json", exclude_none=True)
    facts["tables"]["trips"] |= {"time_within": declared} if declared else {}
    facts["label"] |= {"table": "stations"}
    pipeline = Pipeline.model_validate(facts)
    times = trips()["started_at"]
    for row, after in hours.items():
        times.iloc[row] = START + timedelta(hours=after)
    returning(monkeypatch, trips=trips(started_at=times))
    staged = extract(pipeline, DAY, settings)
    assert staged.far == far
    assert ("before or after 2013-02-10, by their started_at" in caplog.text) == bool(far)
    assert validate(pipeline, DAY, "trips", settings).outcome == "passed"


def test_a_labels_rows_may_be_as_late_as_labels_are_known():
    churn = late_labelled("churn")
    assert time_within(churn, "outcomes") == timedelta(days=8)
    assert time_within(churn, "customers") == timedelta(days=1)


def test_how_far_times_may_lie_is_no_part_of_the_digest():
    churn = late_labelled("churn")
    facts = churn.model_dump(mode="json")
    facts["tables"]["customers"]["time_within"] = "2d"
    assert Pipeline.model_validate(facts).digest == churn.digest


def test_the_days_of_other_pipelines_are_near():
    for name in ("churn", "demand"):
        pipeline = late_labelled(name)
        day = pipeline.schedule.start + timedelta(days=9)
        source = import_module(f"tests.worlds.late_labels.include.{name}.source")
        for table, frame in source.extract(day).items():
            rows = pa.Table.from_pandas(frame, preserve_index=False)
            assert far_times(pipeline, table, rows, day) == 0, (name, table)
