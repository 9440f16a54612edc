"""Predictions in a SQL table: what the lake has, whatever came in between."""

import uuid
from collections import Counter
from datetime import UTC, date, datetime

import pyarrow as pa
import pytest
from sqlalchemy import inspect, text

from airloom.core.errors import DataError, SetupError
from airloom.core.failpoints import ARMED, FailpointReached
from airloom.stores.content import content_version
from airloom.stores.database import open_database
from airloom.stores.lake import Lake, PartitionVersion
from airloom.stores.sink import Sink
from tests.servers.postgres import PASSWORD
from tests.worlds.processes import ENDS, run, run_at_once

KEY = ["airloom_pipeline", "airloom_partition", "flight_id"]
FIRST, SECOND = date(2013, 2, 1), date(2013, 2, 2)
MOMENT = datetime(2013, 2, 2, 3, 4, tzinfo=UTC)


@pytest.fixture
def lake(tmp_path):
    return Lake(tmp_path / "lake")


@pytest.fixture
def sink(empty_state_url):
    return sink_of(empty_state_url)


def sink_of(url, name="predictions_of_p", key=("flight_id",)):
    return Sink(url, name, "p", key)


def publish(lake, day, scores, degraded=False, **more):
    columns = {
        "flight_id": [f"{day} {number}" for number in range(len(scores))],
        "score": pa.array(scores, pa.float64()),
        "late": [True] * len(scores),
        "model_version": pa.array([3] * len(scores), pa.int64()),
        "scored_at": pa.array([MOMENT] * len(scores), pa.timestamp("us", "UTC")),
        **more,
    }
    rows = pa.table(columns)
    version = PartitionVersion(day, content_version(rows, ("scored_at",)), "inputs", degraded)
    lake.replace("predictions", version, rows)


def kept(sink, what="airloom_score", order="airloom_partition, flight_id"):
    engine = open_database(sink.url, "The sink", "URL")
    with engine.connect() as connection:
        return connection.execute(text(f'SELECT {what} FROM "{sink.name}" ORDER BY {order}')).all()


def scores(sink):
    return [row.airloom_score for row in kept(sink)]


def test_a_day_without_rows_is_copied_as_none_and_only_once(lake, sink):
    publish(lake, FIRST, [])
    assert sink.follow(lake, "predictions") == []
    publish(lake, FIRST, [0.5])
    publish(lake, SECOND, [0.6])
    assert sink.follow(lake, "predictions") == [FIRST, SECOND]
    publish(lake, FIRST, [])
    assert [sink.follow(lake, "predictions") for _ in range(2)] == [[FIRST], []]
    assert scores(sink) == [0.6]


def test_a_partition_is_copied_with_its_key_its_version_and_its_types(lake, sink):
    publish(lake, FIRST, [0.25, None])
    assert sink.follow(lake, "predictions") == [FIRST]
    first, second = kept(sink, "*")
    keys = first.airloom_pipeline, str(first.airloom_partition), first.flight_id
    assert keys == ("p", "2013-02-01", "2013-02-01 0")
    assert first.airloom_version == lake.partitions("predictions")[FIRST].version
    assert (first.airloom_score, second.airloom_score) == (0.25, None)
    assert (bool(first.late), first.airloom_model_version) == (True, 3)
    assert str(first.airloom_scored_at).startswith("2013-02-02 03:04")
    inspector = inspect(open_database(sink.url, "The sink", "URL"))
    assert inspector.get_pk_constraint(sink.name)["constrained_columns"] == KEY


def test_what_is_there_already_is_not_written_again(lake, sink):
    publish(lake, FIRST, [0.25])
    sink.follow(lake, "predictions")
    publish(lake, SECOND, [0.5])
    assert sink.follow(lake, "predictions") == [SECOND]
    assert sink.follow(lake, "predictions") == []
    assert scores(sink) == [0.25, 0.5]


def test_a_partition_that_was_scored_again_is_replaced(lake, sink):
    publish(lake, FIRST, [0.25, 0.5])
    publish(lake, SECOND, [0.75])
    sink.follow(lake, "predictions")
    publish(lake, FIRST, [0.125])
    assert sink.follow(lake, "predictions") == [FIRST]
    assert scores(sink) == [0.125, 0.75]


@pytest.mark.parametrize("degraded", [True, False])
def test_a_warning_that_came_or_went_is_copied_although_the_predictions_are_the_same(lake, sink, degraded):
    publish(lake, FIRST, [0.25], degraded=not degraded)
    sink.follow(lake, "predictions")
    publish(lake, FIRST, [0.25], degraded=degraded)
    assert sink.follow(lake, "predictions") == [FIRST]
    assert [row.airloom_quality for row in kept(sink, "airloom_quality")] == ["degraded" if degraded else "ok"]
    assert sink.follow(lake, "predictions") == []


def test_a_copy_that_is_interrupted_leaves_what_was_there_and_is_made_good(lake, sink, monkeypatch):
    publish(lake, FIRST, [0.25])
    sink.follow(lake, "predictions")
    publish(lake, FIRST, [0.5, 0.75])
    monkeypatch.setattr("airloom.core.failpoints._passed", Counter())
    monkeypatch.setenv(ARMED, "sink.before_commit:raise")
    with pytest.raises(FailpointReached):
        sink.follow(lake, "predictions")
    assert scores(sink) == [0.25]
    monkeypatch.delenv(ARMED)
    assert sink.follow(lake, "predictions") == [FIRST]
    assert scores(sink) == [0.5, 0.75]


def _follow(url, lake):
    sink_of(url).follow(lake, "predictions")


@pytest.mark.parametrize(("place", "left"), [("before_commit", [0.25]), ("after_commit", [0.5, 0.75])])
def test_a_process_that_is_killed_leaves_the_old_or_the_new_and_nothing_between(lake, sink, place, left):
    publish(lake, FIRST, [0.25])
    sink.follow(lake, "predictions")
    publish(lake, FIRST, [0.5, 0.75])
    assert run(_follow, sink.url, lake, failpoint=f"sink.{place}:kill") == ENDS["kill"]
    assert scores(sink) == left
    sink.follow(lake, "predictions")
    assert scores(sink) == [0.5, 0.75]


def test_several_processes_may_copy_at_once(lake, sink):
    for day in (FIRST, SECOND):
        publish(lake, day, [0.25, 0.5])
    assert run_at_once(_follow, *[(sink.url, lake)] * 3) == [0, 0, 0]
    assert scores(sink) == [0.25, 0.5, 0.25, 0.5]


def test_columns_that_come_later_are_added(lake, sink):
    publish(lake, FIRST, [0.25])
    sink.follow(lake, "predictions")
    publish(lake, SECOND, [0.5], current_score=[0.75])
    assert sink.follow(lake, "predictions") == [SECOND]
    assert [row[0] for row in kept(sink, "airloom_current_score")] == [None, 0.75]


@pytest.mark.parametrize("empty_state_url", ["postgresql"], indirect=True)
def test_a_column_whose_name_postgresql_would_cut_is_refused_before_anything_is_made(lake, sink):
    just_right, too_long = f"score_{'é' * 24}x", f"score_{'é' * 25}"
    publish(lake, FIRST, [0.25], **{just_right: [0.5]})
    assert sink.follow(lake, "predictions") == [FIRST]
    assert [row[0] for row in kept(sink, f'"airloom_{just_right}"')] == [0.5]
    publish(lake, SECOND, [0.25], **{too_long: [0.5]})
    with pytest.raises(DataError, match="too long for a SQL table") as refused:
        sink.follow(lake, "predictions")
    assert (refused.value.where, refused.value.found) == (f"airloom_{too_long}", "64 bytes")
    assert scores(sink) == [0.25]


def test_pipelines_may_share_a_table(lake, sink, tmp_path):
    publish(lake, FIRST, [0.25])
    sink.follow(lake, "predictions")
    other = Sink(sink.url, sink.name, "q", sink.key)
    publish(Lake(tmp_path / "other"), FIRST, [0.5])
    assert other.follow(Lake(tmp_path / "other"), "predictions") == [FIRST]
    found = kept(sink, "airloom_pipeline, airloom_score", "airloom_pipeline")
    assert [tuple(row) for row in found] == [("p", 0.25), ("q", 0.5)]


def test_a_table_of_somebody_else_is_left_alone(lake, sink):
    with open_database(sink.url, "The sink", "URL").begin() as connection:
        connection.execute(text(f"CREATE TABLE {sink.name} (pipeline TEXT, partition DATE, version TEXT, score FLOAT)"))
    publish(lake, FIRST, [0.25])
    with pytest.raises(SetupError, match="is not one that holds predictions of p") as refused:
        sink.follow(lake, "predictions")
    assert refused.value.expected == "a primary key of pipeline, partition, flight_id"
    assert kept(sink, "*", "score") == []


OLDER = """CREATE TABLE {0} (pipeline TEXT, partition DATE, flight_id TEXT, score FLOAT, score_id TEXT, version TEXT,
quality TEXT, scored_at TIMESTAMP, PRIMARY KEY (pipeline, partition, flight_id))"""
OURS = ("pipeline", "partition", "version", "quality", "score", "scored_at", "model_version")


def older(sink):
    """Make the table as earlier versions did."""
    with open_database(sink.url, "The sink", "URL").begin() as connection:
        connection.execute(text(OLDER.format(sink.name)))
    return Sink(sink.url, sink.name, sink.pipeline, sink.key, ("score_id",))


def columns(sink):
    there = inspect(open_database(sink.url, "The sink", "URL")).get_columns(sink.name)
    return {each["name"] for each in there}


def test_a_table_of_an_earlier_version_keeps_its_names_until_it_is_renamed(lake, sink):
    sink = older(sink)
    publish(lake, FIRST, [0.25], score_id=["a"])
    assert sink.follow(lake, "predictions") == [FIRST]
    assert columns(sink) == {*OURS, "flight_id", "late", "score_id"}
    assert kept(sink, "partition, score, version", "partition")[0][1:] == (0.25, version_of(lake, FIRST))
    assert [sink.rename(), sink.rename()] == [True, False]
    assert columns(sink) == {*(f"airloom_{name}" for name in OURS), "flight_id", "late", "score_id"}
    assert sink.follow(lake, "predictions") == []
    publish(lake, SECOND, [0.5], score_id=["b"])
    assert sink.follow(lake, "predictions") == [SECOND]
    assert scores(sink) == [0.25, 0.5]
    sink.remove(FIRST)
    assert scores(sink) == [0.5]


def version_of(lake, day):
    return lake.partitions("predictions")[day].version


def test_a_day_is_removed_from_a_table_of_an_earlier_version(lake, sink):
    sink = older(sink)
    for day in (FIRST, SECOND):
        publish(lake, day, [0.25], score_id=["a"])
    sink.follow(lake, "predictions")
    sink.remove(FIRST)
    assert len(kept(sink, "score", "partition")) == 1


def test_there_is_nothing_to_rename_without_a_table_or_in_one_of_somebody_else(sink):
    assert not sink.rename()
    with open_database(sink.url, "The sink", "URL").begin() as connection:
        connection.execute(text(f"CREATE TABLE {sink.name} (partition DATE, score FLOAT)"))
    assert not sink.rename()


def test_an_older_table_refuses_a_key_by_the_name_of_a_column_of_its_own(lake, sink):
    other = older(sink_of(sink.url, key=("flight_id", "run_id")))
    rows = {"flight_id": ["a"], "run_id": ["b"], "airloom_score": [0.5], "airloom_run_id": ["run"]}
    lake.replace("predictions", PartitionVersion(FIRST, content_version(pa.table(rows))), pa.table(rows))
    with pytest.raises(DataError, match="by the names of yours") as refused:
        other.follow(lake, "predictions")
    assert (refused.value.found, "--rename-columns" in refused.value.do) == ("run_id", True)


@pytest.mark.parametrize("place", ["before_rename", "after_rename"])
def test_a_renaming_that_is_interrupted_leaves_the_old_names_or_the_new_ones(lake, sink, monkeypatch, place):
    sink = older(sink)
    publish(lake, FIRST, [0.25], score_id=["a"])
    sink.follow(lake, "predictions")
    monkeypatch.setattr("airloom.core.failpoints._passed", Counter())
    monkeypatch.setenv(ARMED, f"sink.{place}:raise")
    with pytest.raises(FailpointReached):
        sink.rename()
    monkeypatch.delenv(ARMED)
    assert ("score" in columns(sink), "airloom_score" in columns(sink)) == (
        place == "before_rename",
        place == "after_rename",
    )
    assert sink.rename() == (place == "before_rename")
    assert scores(sink) == [0.25]


@pytest.mark.parametrize("empty_state_url", ["postgresql"], indirect=True)
def test_a_user_who_may_not_write_is_told_so(lake, sink, postgres):
    role = f"r{uuid.uuid4().hex}"
    postgres.run(f"CREATE ROLE {role} LOGIN PASSWORD 'planted-reads'")
    publish(lake, FIRST, [0.25])
    reader = sink_of(sink.url.replace(f"postgres:{PASSWORD}", f"{role}:planted-reads"))
    with pytest.raises(SetupError, match="are in the lake and could not be copied") as refused:
        reader.follow(lake, "predictions")
    assert "permission denied" in refused.value.found
    assert "planted" not in str(refused.value)
