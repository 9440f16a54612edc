from datetime import date
from traceback import format_exception

import pytest

from airloom.core.declaration import find_pipeline
from airloom.core.errors import DataError, SetupError, UsageError
from airloom.core.pipeline import Schedule
from airloom.launcher import backfill
from airloom.launcher.api import FailedTask, Range
from airloom.launcher.backfill import STAGES, Request, run
from airloom.launcher.waiting import Waiting
from tests.worlds.prepared import INCLUDE

PARCELS = find_pipeline(INCLUDE, "parcels")
DAYS = Range(date(2024, 1, 1), date(2024, 1, 3))


class Airflow:
    """An Airflow that ends one run of every backfill per look."""

    def __init__(self, *, success=0, failing=(), busy=0, reads_files_after=0, asks=0):
        self.created, self.paused = [], set()
        self.runs = {f"parcels.{stage}": ["success"] * success for stage in STAGES}
        self.failing, self.busy, self.reads_files_after = set(failing), busy, reads_files_after
        self.errors, self.asks = {}, asks
        self.failed, self.recorded, self.cleared = [], set(), []

    def failed_tasks(self, dag_id, days):
        return [task for task in self.failed if "failed" in self.runs[dag_id]]

    def has_record(self, dag_id, task):
        return task in self.recorded

    def clear(self, dag_id, run_id, tasks):
        """Run them again: those that are cleared here end well, unless they have to fail anew."""
        self.cleared.append((dag_id, run_id, tasks))
        self.runs[dag_id][self.runs[dag_id].index("failed")] = "queued"
        self.failing.discard(dag_id)

    def count_tasks(self, dag_id, days, states):
        assert states == ["awaiting_input"]
        self.asks -= 1
        return max(self.asks, 0)

    def dags(self, prefix):
        self.reads_files_after -= 1
        return set(self.runs) if self.reads_files_after < 0 else set()

    def import_errors(self):
        return self.errors

    def unpause(self, dag_id):
        self.paused.discard(dag_id)

    def has_active_backfill(self, dag_id):
        self.busy -= 1
        return self.busy >= 0

    def create_backfill(self, dag_id, days, **options):
        self.created.append((dag_id, days, options))
        if options["reprocess"] == "completed":
            self.runs[dag_id] = []
        self.runs[dag_id] += ["queued"] * (3 - len(self.runs[dag_id]))
        return True

    def count_runs(self, dag_id, days, states=None):
        runs = self.runs[dag_id]
        if states == ["success", "failed"] and "queued" in runs:
            runs[runs.index("queued")] = "failed" if dag_id in self.failing else "success"
        return sum(state in (states or [state]) for state in runs)


def request(**options):
    return Request(pipeline=PARCELS, days=DAYS, **options)


def test_days_that_have_not_ended_are_refused(now):
    now("2024-01-03T22:59")  # 23:59 in Berlin
    with pytest.raises(UsageError, match="2024-01-03 has not ended in Europe/Berlin"):
        run(Airflow(), request(), lambda stages: None, pause=0)
    now("2024-01-03T23:00")
    assert all(stage.done for stage in run(Airflow(), request(), lambda stages: None, pause=0))


def test_a_day_that_the_zone_never_had_has_no_run():
    schedule = Schedule(nightly="02:00", timezone="Pacific/Apia", start=date(2011, 12, 1))
    apia = Request(PARCELS.model_copy(update={"schedule": schedule}), Range(date(2011, 12, 29), date(2011, 12, 31)))
    assert apia.runs_of("ingest") == 2


def test_every_stage_gets_its_own_backfill_in_the_order_of_the_data():
    airflow = Airflow()
    ended = run(airflow, request(max_active_runs=2), lambda stages: None, pause=0)
    assert [dag_id for dag_id, _, _ in airflow.created] == [f"parcels.{stage}" for stage in STAGES]
    assert {days for _, days, _ in airflow.created} == {DAYS}
    assert airflow.created[0][2] == {"max_active_runs": 2, "reprocess": "none", "backwards": False}
    assert [(stage.ended, stage.failed) for stage in ended] == [(3, 0)] * 4


def test_fewer_days_may_be_trained_and_scored_than_are_ingested():
    airflow, nights = Airflow(), Range(DAYS.last, DAYS.last)
    ended = run(airflow, request(nights=nights), lambda stages: None, pause=0)
    assert [days for _, days, _ in airflow.created] == [DAYS, DAYS, nights, nights]
    assert [stage.runs for stage in ended] == [3, 3, 1, 1]


def test_failed_runs_are_counted():
    ended = run(Airflow(failing=["parcels.train"]), request(), lambda stages: None, pause=0)
    assert {stage.stage: stage.failed for stage in ended} == {"ingest": 0, "features": 0, "train": 3, "score": 0}


def failed_task(task_id, day, map_index=-1, index=""):
    return FailedTask(f"backfill__{day}", task_id, map_index, date.fromisoformat(day), index)


def test_failed_tasks_whose_work_is_done_are_cleared_once_and_the_others_named():
    airflow = Airflow(failing=["parcels.train"])
    first, second = (failed_task("fit", "2024-01-01", number, name) for number, name in enumerate("ab"))
    real = failed_task("assemble", "2024-01-02")
    airflow.failed, airflow.recorded = [first, second, real], {first, second}
    [train] = run(airflow, request(stages=("train",)), lambda stages: None, pause=0)
    assert airflow.cleared == [("parcels.train", "backfill__2024-01-01", [first, second])]
    assert (train.ended, train.failed) == (3, 0)
    assert train.cleared == (first, second)
    assert [str(task) for task in train.cleared] == ["2024-01-01 fit[a]", "2024-01-01 fit[b]"]


def test_a_cleared_task_that_fails_again_is_not_cleared_twice():
    airflow = Airflow(failing=["parcels.train"])
    task = failed_task("fit", "2024-01-01")
    airflow.failed, airflow.recorded = [task], {task}
    airflow.failing = StillFailing(airflow.failing)
    [train] = run(airflow, request(stages=("train",)), lambda stages: None, pause=0)
    assert len(airflow.cleared) == 1
    assert (train.failed, train.failures) == (3, (task,))


class StillFailing(set):
    """DAGs that fail however often they are cleared."""

    def discard(self, dag_id):
        """Keep it."""


def test_dag_files_that_are_never_read_end_the_waiting_after_a_time_without_progress(monkeypatch):
    clock, notes = iter(range(0, 10_000, 10)), []
    monkeypatch.setattr(backfill, "Waiting", lambda: Waiting(lambda: next(clock)))
    with pytest.raises(SetupError, match="has no DAG"):
        run(Airflow(reads_files_after=1000), request(stages=("ingest",)), lambda s: notes.append(s[0].note), pause=0)
    assert notes[0] == "waits for Airflow to read the DAG files"
    assert notes[-1].startswith("waits for Airflow to read the DAG files (for ")


def test_progress_is_shown_until_the_end():
    seen = []
    run(Airflow(), request(stages=("ingest",)), lambda stages: seen.append(stages[0].ended), pause=0)
    assert seen == [1, 2, 3]


def test_an_earlier_backfill_that_is_still_active_is_waited_for():
    airflow, notes = Airflow(busy=2), []
    run(airflow, request(stages=("ingest",)), lambda stages: notes.append(stages[0].note), pause=0)
    assert len(airflow.created) == 1
    assert ["earlier backfill" in note for note in notes[:3]] == [True, True, False]


def test_days_that_have_all_succeeded_need_no_backfill():
    airflow = Airflow(success=3)
    ended = run(airflow, request(reprocess="failed"), lambda stages: None, pause=0)
    assert airflow.created == []
    assert all(stage.done for stage in ended)


def test_days_that_have_succeeded_run_again_when_that_is_asked_for():
    airflow = Airflow(success=3)
    run(airflow, request(reprocess="completed", stages=("score",)), lambda stages: None, pause=0)
    assert [dag_id for dag_id, _, _ in airflow.created] == ["parcels.score"]


def test_dags_that_airflow_has_not_read_yet_are_waited_for():
    ended = run(Airflow(reads_files_after=2), request(), lambda stages: None, pause=0)
    assert all(stage.done for stage in ended)


def test_a_dag_file_that_cannot_be_imported_ends_the_waiting_with_its_error():
    airflow = Airflow(reads_files_after=5)
    code = "from fractions import Fraction\nFraction('planted')\n"
    with pytest.raises(ValueError, match="planted") as raised:
        exec(compile(code, "/project/include/own.py", "exec"))
    airflow.errors = {"train.py": "".join(format_exception(raised.value))}
    with pytest.raises(DataError) as caught:
        run(airflow, request(), lambda stages: None, pause=0)
    assert (caught.value.where, caught.value.found) == ("train.py", "/project/include/own.py, line 2: ValueError")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"stages": ("ingest", "trian")}, "no stage 'trian'"),
        ({"days": Range(DAYS.last, DAYS.first)}, "ends before it starts"),
        ({"days": Range(date(2023, 12, 31), DAYS.last)}, "does not cover"),
        ({"days": Range(DAYS.first, date(2024, 2, 1))}, "does not cover"),
    ],
)
def test_what_makes_no_sense_is_refused_before_airflow_is_asked(options, message):
    airflow = Airflow()
    with pytest.raises(UsageError, match=message):
        run(airflow, Request(**{"pipeline": PARCELS, "days": DAYS, **options}), lambda stages: None, pause=0)
    assert airflow.created == []


def test_a_run_that_has_asked_a_person_is_told_where_runs_ask():
    asking = PARCELS.model_copy(update={"promotion": PARCELS.promotion.model_copy(update={"approval": "required"})})
    seen = []
    wish = Request(pipeline=asking, days=DAYS, stages=("score", "train"))
    run(Airflow(asks=2), wish, lambda stages: seen.append([stage.waits for stage in stages]), pause=0)
    assert seen[0] == ["", "1 run asked a person: see Required Actions in Airflow"]
    assert seen[-1] == ["", ""]
