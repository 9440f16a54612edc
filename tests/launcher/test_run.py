"""What `airloom run` does with Airflow's one run for a day: clear it, create it, or let it end first."""

from datetime import date

import pytest

from airloom.core.declaration import find_pipeline
from airloom.core.errors import NotDue, UsageError
from airloom.core.pipeline import Schedule
from airloom.launcher.api import DayRun, FailedTask, Range
from airloom.launcher.backfill import STAGES, Request
from airloom.launcher.run import run_again
from tests.worlds.prepared import INCLUDE

PARCELS = find_pipeline(INCLUDE, "parcels")
DAY = date(2024, 1, 3)


class Airflow:
    """An Airflow with runs of one day, each of which ends at the second look at it."""

    def __init__(self, settings=None, failing=(), deferred=(), **states):
        self.settings = settings
        self.states = {f"parcels.{stage}": state for stage, state in states.items()}
        self.failing, self.deferred, self.did, self.looks = failing, deferred, [], 0

    def dags(self, prefix):
        return {f"parcels.{stage}" for stage in STAGES}

    def unpause(self, dag_id):
        """Do nothing: it runs."""

    def run_of(self, dag_id, day):
        assert day == DAY
        state = self.states.get(dag_id)
        return state and DayRun(f"some__{day}", state)

    def create_run(self, dag_id, day):
        self._begin("created", dag_id)

    def clear_run(self, dag_id, run_id):
        self._begin("cleared", dag_id)

    def _begin(self, did, dag_id):
        self.did.append(f"{did} {dag_id.removeprefix('parcels.')}")
        self.states[dag_id], self.looks = "running", 0

    def count_runs(self, dag_id, days, states):
        self.looks += 1
        if self.looks == 2 and self.states[dag_id] in ("running", "queued"):
            self.states[dag_id] = "failed" if dag_id in self.failing else "success"
        return int(self.states[dag_id] in states)

    def count_tasks(self, dag_id, days, states):
        return int(dag_id in self.deferred)

    def failed_tasks(self, dag_id, days):
        return [FailedTask("some", "validate", 0, DAY, "parcels")]

    def has_record(self, dag_id, task):
        return False


def again(airflow, stages=STAGES, watch=lambda _: None, day=DAY, pipeline=PARCELS):
    return run_again(airflow, Request(pipeline, Range(day, day), stages), watch, pause=0)


def test_each_stage_is_cleared_or_created_when_the_one_before_has_ended():
    airflow = Airflow(ingest="success", score="failed")
    ended = again(airflow)
    assert airflow.did == ["cleared ingest", "created features", "created train", "cleared score"]
    assert [(stage.done, stage.failed) for stage in ended] == [(True, 0)] * 4


def test_only_the_stages_that_were_asked_for_run():
    airflow = Airflow(score="success")
    again(airflow, ("score",))
    assert airflow.did == ["cleared score"]


def test_a_run_that_is_under_way_ends_before_it_is_cleared():
    airflow, notes = Airflow(ingest="running"), []
    again(airflow, ("ingest",), lambda stages: notes.append(stages[0].waits))
    assert notes[0] == "waits for its run that is under way"
    assert airflow.did == ["cleared ingest"]


def test_a_run_that_has_not_begun_is_the_one():
    airflow = Airflow(ingest="queued")
    again(airflow, ("ingest",))
    assert airflow.did == []


def test_a_failure_is_the_end_and_later_stages_are_not_begun():
    airflow = Airflow(failing=["parcels.ingest"], features="success")
    ingest, features, *_ = again(airflow)
    assert airflow.did == ["created ingest"]
    assert [str(task) for task in ingest.failures] == ["2024-01-03 validate[parcels]"]
    assert (features.done, features.waits) == (False, "waits for its turn")


def test_a_stage_says_which_inputs_it_awaits(tmp_path):
    from airloom.core.settings import Settings

    settings = Settings(tmp_path, tmp_path / "var", f"sqlite:///{tmp_path}/state.db")
    told = []
    again(Airflow(settings, deferred=["parcels.features"]), ("features",), lambda stages: told.append(stages[0].waits))
    assert "awaited (raw.parcels 2024-01-01" in told[0]


@pytest.mark.parametrize(
    ("day", "stages", "said"),
    [
        (date(2023, 12, 31), STAGES, "does not cover"),
        (date(2999, 1, 1), STAGES, "does not cover|has not ended"),
        (DAY, ("ingest", "scoer"), "no stage 'scoer'"),
    ],
)
def test_what_cannot_run_is_refused_before_airflow_is_asked(day, stages, said):
    airflow = Airflow()
    with pytest.raises(UsageError, match=said):
        again(airflow, stages, day=day)
    assert airflow.did == []


def test_a_day_that_has_not_ended_is_refused(now):
    now("2024-01-03T22:59")  # 23:59 in Berlin
    with pytest.raises(UsageError, match="2024-01-03 has not ended in Europe/Berlin"):
        again(Airflow())


def test_a_day_that_the_zone_never_had_is_refused():
    schedule = Schedule(nightly="02:00", timezone="Pacific/Apia", start=date(2011, 12, 1))
    with pytest.raises(NotDue, match="never had 2011-12-30"):
        again(Airflow(), day=date(2011, 12, 30), pipeline=PARCELS.model_copy(update={"schedule": schedule}))
