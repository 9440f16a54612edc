from datetime import date

import pyarrow as pa
import pytest

from airloom.core.declaration import find_pipeline
from airloom.core.errors import NotDue, UsageError
from airloom.core.settings import PROJECT, Settings
from airloom.steps.readiness import needs, readiness, upstream
from airloom.stores.content import content_version
from airloom.stores.lake import Lake, PartitionVersion
from airloom.stores.quarantine import Quarantine

PIPELINE = find_pipeline(PROJECT / "include", "flight_delays")
ROWS = pa.table({"id": [1]})


@pytest.fixture
def settings(tmp_path):
    return Settings(PROJECT, tmp_path, f"sqlite:///{tmp_path / 'state.db'}")


def publish(settings, table, day):
    Lake(settings.lake / "flight_delays").replace(table, PartitionVersion(day, content_version(ROWS)), ROWS)


def test_nothing_is_awaited_before_the_declared_start():
    assert needs(PIPELINE, "features", date(2013, 1, 2))["raw.flights"] == [date(2013, 1, 1), date(2013, 1, 2)]


def test_training_needs_days_whose_labels_are_known():
    labelled = needs(PIPELINE, "train", date(2013, 2, 10))["raw.flights"]
    assert (labelled[0], labelled[-1], len(labelled)) == (date(2013, 1, 13), date(2013, 2, 9), 28)


def test_training_is_not_due_while_its_window_begins_before_the_pipeline():
    assert needs(PIPELINE, "train", date(2013, 1, 29))
    with pytest.raises(NotDue, match="there are 27 of 28 days since the start on 2013-01-01"):
        needs(PIPELINE, "train", date(2013, 1, 28))


def test_a_stage_without_inputs_waits_for_nothing():
    with pytest.raises(UsageError, match="waits for nothing"):
        needs(PIPELINE, "ingest", date(2013, 1, 3))


def test_what_is_missing_is_awaited_and_named(settings):
    publish(settings, "raw.flights", date(2013, 1, 1))
    state = readiness(PIPELINE, "features", date(2013, 1, 1), settings)
    assert not state.settled
    assert state.missing == ("raw.planes 2013-01-01", "raw.weather 2013-01-01")


def test_a_day_that_an_audit_has_stopped_is_not_waited_for(settings):
    day = date(2013, 1, 1)
    Quarantine(settings.quarantine / "flight_delays").block("flights", day, ROWS, ["no keys"], "")
    state = readiness(PIPELINE, "score", day, settings)
    assert state.settled
    assert "raw.schedule 2013-01-01" in state.blocked


def test_a_stage_waits_for_the_stages_before_that_are_about_to_publish():
    assert upstream(PIPELINE, "features", date(2013, 1, 2)) == {"ingest": [date(2013, 1, 1), date(2013, 1, 2)]}
    runs = upstream(PIPELINE, "score", date(2013, 2, 10))
    assert (runs["ingest"], runs["features"]) == ([date(2013, 2, 10)], [date(2013, 2, 10)])
    assert (runs["train"][0], runs["train"][-1]) == (date(2013, 1, 13), date(2013, 2, 10))
    assert list(upstream(PIPELINE, "train", date(2013, 2, 10))) == ["ingest", "features"]
