from airloom.lineage.events import Version, read_events, runs_of
from tests.lineage.written import Log

ONE, OTHER = ("raw.t", ("2013-02-10", "a")), ("features.v", ("2013-02-10", "b"))


def test_start_and_end_of_an_attempt_are_one_run():
    log = Log()
    log.did("features.compute", "r", [ONE], [OTHER])
    [run] = runs_of(log.events)
    assert (run.state, run.job, run.trigger, run.partition) == (
        "complete",
        "p.features.compute",
        "manual by ada",
        "2013-02-10",
    )
    assert run.inputs == (Version("p/raw.t", "2013-02-10", "a"),)
    assert [each.version for each in run.outputs] == [Version("p/features.v", "2013-02-10", "b")]
    assert run.headline == "features.compute is done"


def test_a_killed_attempt_is_aborted_once_the_next_one_has_started():
    log = Log()
    log.start("features.compute", "first")
    log.start("features.compute", "second", attempt=2)
    assert [(run.id, run.state) for run in runs_of(log.events)] == [("first", "aborted"), ("second", "running")]


def test_a_killed_attempt_is_aborted_once_its_dag_run_has_ended():
    log = Log()
    log.start("features.compute", "r")
    assert [run.state for run in runs_of(log.events)] == ["running"]
    log.end_dag_run("night")
    assert [run.state for run in runs_of(log.events)] == ["aborted"]


def test_an_attempt_that_failed_has_failed_whatever_came_after():
    log = Log()
    log.start("features.compute", "first")
    log.end("features.compute", "first", state="FAIL")
    log.did("features.compute", "second", [ONE], [OTHER], attempt=2)
    assert [run.state for run in runs_of(log.events)] == ["failed", "complete"]


def test_a_line_that_was_not_written_whole_is_left_out(tmp_path):
    log, file = Log(), tmp_path / "events.ndjson"
    log.did("features.compute", "r", [ONE], [OTHER])
    log.write(file)
    file.write_text('{"eventType": "STA\n' + file.read_text() + '{"eventType": "STA')
    assert list(read_events(file)) == log.events


def test_without_a_file_there_are_no_events(tmp_path):
    assert list(read_events(tmp_path / "none.ndjson")) == []


def test_tasks_of_others_are_no_runs_of_ours():
    log = Log()
    log.did("features.compute", "r", [ONE], [OTHER])
    for event in log.events:
        del event["run"]["facets"]["airloom_run"]
    assert runs_of(log.events) == []
