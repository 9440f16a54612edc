from datetime import date

import pyarrow as pa
import pytest

from airloom.core.declaration import find_pipeline
from airloom.core.errors import NotDue, UsageError
from airloom.core.pipeline import Pipeline, Schedule
from airloom.steps.readiness import needs, readiness, upstream
from airloom.stores.ledger import Ledger
from airloom.stores.quarantine import Quarantine
from tests.worlds.installation import publish, settings_at
from tests.worlds.prepared import INCLUDE

PARCELS = find_pipeline(INCLUDE, "parcels")
ROWS = pa.table({"id": [1]})


@pytest.fixture
def settings(tmp_path):
    return settings_at(tmp_path)


def test_nothing_is_awaited_before_the_declared_start():
    assert needs(PARCELS, "features", date(2024, 1, 2))["raw.parcels"] == [date(2024, 1, 1), date(2024, 1, 2)]
    assert needs(PARCELS, "features", date(2024, 1, 4))["raw.parcels"] == [date(2024, 1, day) for day in (2, 3, 4)]


def test_every_table_that_a_view_reads_is_awaited_for_its_longest_window():
    declared = PARCELS.model_dump(mode="json")
    declared["features"]["views"]["courier_delays"]["reads"] = ["parcels", "traffic"]
    wanted = needs(Pipeline.model_validate(declared), "features", date(2024, 1, 10))
    assert wanted == {f"raw.{table}": [date(2024, 1, day) for day in (8, 9, 10)] for table in ("parcels", "traffic")}


def test_training_needs_days_whose_labels_are_known():
    wanted = needs(PARCELS, "train", date(2024, 1, 10))
    assert wanted["raw.orders"] == wanted["features.depot_traffic"] == [date(2024, 1, day) for day in (7, 8, 9)]
    assert wanted["raw.parcels"] == [date(2024, 1, day) for day in (8, 9, 10)]


def test_training_is_not_due_while_its_window_begins_before_the_pipeline():
    assert needs(PARCELS, "train", date(2024, 1, 4))
    with pytest.raises(NotDue, match="there are 2 of 3 days since the start on 2024-01-01"):
        needs(PARCELS, "train", date(2024, 1, 3))


def test_a_stage_without_inputs_waits_for_nothing():
    with pytest.raises(UsageError, match="waits for nothing"):
        needs(PARCELS, "ingest", date(2024, 1, 3))


def test_what_is_missing_is_awaited_and_named(settings):
    day = date(2024, 1, 1)
    assert readiness(PARCELS, "features", day, settings).missing == ("raw.parcels 2024-01-01", "raw.traffic 2024-01-01")
    publish(settings, "parcels", "raw.parcels", day, ROWS)
    state = readiness(PARCELS, "features", day, settings)
    assert not state.settled
    assert state.missing == ("raw.traffic 2024-01-01",)


def test_a_day_that_an_audit_has_stopped_is_not_waited_for(settings):
    day = date(2024, 1, 1)
    Quarantine(settings.quarantine / "parcels").block("parcels", day, ROWS, ["no keys"], "")
    state = readiness(PARCELS, "score", day, settings)
    assert state.settled
    assert "raw.orders 2024-01-01" in state.blocked


def test_a_stage_waits_for_the_stages_before_that_are_about_to_publish(settings):
    days = [date(2024, 1, 1), date(2024, 1, 2)]
    assert upstream(PARCELS, "features", date(2024, 1, 2), settings) == {"ingest": days}
    runs = upstream(PARCELS, "score", date(2024, 1, 10), settings)
    assert (runs["ingest"], runs["features"]) == ([date(2024, 1, 10)], [date(2024, 1, 10)])
    assert list(upstream(PARCELS, "train", date(2024, 1, 10), settings)) == ["ingest", "features"]


def test_a_score_waits_for_trainings_that_may_still_change_its_champion(settings):
    def trainings():
        return upstream(PARCELS, "score", date(2024, 1, 10), settings)["train"]

    assert trainings() == [date(2024, 1, day) for day in range(1, 11)]
    ledger, why = Ledger(settings.state_url), {"verdict": None, "actor": "ann", "reason": "promote: for a test"}
    ledger.promote("parcels", expected_epoch=0, effective_from=date(2024, 1, 9), version=1, **why)
    assert trainings() == [date(2024, 1, 9), date(2024, 1, 10)]
    ledger.promote("parcels", expected_epoch=1, effective_from=date(2024, 1, 11), version=2, **why)
    assert trainings() == []


def test_a_day_that_the_zone_never_had_is_awaited_by_no_stage():
    schedule = Schedule(nightly="02:00", timezone="Pacific/Apia", start=date(2011, 12, 1))
    apia = PARCELS.model_copy(update={"schedule": schedule})
    before, after, night = date(2011, 12, 29), date(2011, 12, 31), date(2012, 1, 1)
    assert needs(apia, "features", after)["raw.parcels"] == [before, after]
    wanted = needs(apia, "train", night)
    assert wanted["raw.orders"] == [before, after]
    assert wanted["raw.parcels"] == [after, night]
