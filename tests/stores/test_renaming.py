"""Columns of predictions get their prefix in one commit, and everything else stays as it was."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta

import pyarrow as pa
import pytest

from airloom.core.errors import Unavailable
from airloom.core.failpoints import ARMED, FailpointReached
from airloom.core.reserved import OF_OLDER_TABLES
from airloom.stores.content import NO_ROWS, content_version
from airloom.stores.lake import Lake, PartitionVersion, open_table
from airloom.stores.renaming import rename_predictions
from airloom.stores.vacuum import vacuum_table
from tests.worlds.older_tables import begin_older

FIRST = date(2013, 2, 1)
SECOND, THIRD = FIRST + timedelta(days=1), FIRST + timedelta(days=2)
USERS = ("flight_id", "score_time")


def rows(*scores, **more):
    keys = [f"f{number}" for number in range(len(scores))]
    ours = {"score": list(scores), "model_version": [1] * len(scores), "run_id": ["run"] * len(scores)}
    return pa.table({"flight_id": keys, "score_time": keys, **ours, **more})


def publish(lake, day, content):
    lake.replace("predictions", PartitionVersion(day, content_version(content), "inputs", True), content, {"model": 1})


@pytest.fixture
def lake(place):
    lake = Lake(place)
    begin_older(lake, "predictions", FIRST, rows(0.25, 0.5))
    publish(lake, SECOND, rows(0.75, current_score=[0.5]))
    publish(lake, THIRD, rows())
    return lake


def rename(lake):
    return rename_predictions(lake, "predictions", USERS)


def test_columns_are_renamed_once_and_versions_and_facts_stay(lake):
    published, commit = lake.partitions("predictions"), lake.commit("predictions")
    facts, before = lake.commit_facts("predictions", commit), lake.read("predictions", [FIRST, SECOND, THIRD])
    assert [rename(lake), rename(lake)] == [True, False]
    assert lake.commit("predictions") == commit + 1
    assert lake.partitions("predictions") == published
    assert published[THIRD].version == NO_ROWS
    assert lake.commit_facts("predictions", commit + 1) == facts
    ours = ["score", "model_version", "run_id", "current_score"]
    after = lake.read("predictions", [FIRST, SECOND, THIRD])
    assert list(after) == [*USERS, *(f"airloom_{name}" for name in ours)]
    bare = after.rename(columns=lambda name: name.removeprefix("airloom_"))
    order = ["score"]
    assert bare.sort_values(order, ignore_index=True).equals(before.sort_values(order, ignore_index=True))
    assert open_table(lake.path("predictions")).metadata().partition_columns == list(OF_OLDER_TABLES)


def test_an_earlier_commit_has_the_names_that_it_had(lake):
    commit = lake.commit("predictions")
    rename(lake)
    vacuum_table(lake, "predictions", timedelta(), keep=[commit], dry_run=False)
    then = lake.at({"predictions": commit}).read("predictions", [FIRST])
    assert list(then)[2:] == ["score", "model_version", "run_id", "current_score"]
    assert sorted(then["score"]) == [0.25, 0.5]


def test_the_table_goes_on_under_its_new_names(lake):
    rename(lake)
    content = pa.table({"flight_id": ["a"], "score_time": ["b"], "airloom_score": [0.125]})
    publish(lake, SECOND, content)
    assert lake.read("predictions", [SECOND], ["airloom_score"])["airloom_score"].tolist() == [0.125]
    assert not rename(lake)


def test_a_writer_that_has_looked_at_the_table_before_adds_no_old_names(lake):
    rename(lake)
    with pytest.raises(Unavailable, match="renamed meanwhile"):
        publish(lake, SECOND, rows(0.125))


def test_a_table_that_is_not_there_or_has_no_rows_has_nothing_to_rename(tmp_path):
    lake = Lake(tmp_path)
    assert not rename(lake)
    publish(lake, FIRST, rows())
    assert not rename(lake)


@pytest.mark.parametrize("point", ["before_rename", "after_rename"])
def test_an_interruption_leaves_the_old_names_or_the_new_ones_and_is_made_good(lake, monkeypatch, point):
    monkeypatch.setattr("airloom.core.failpoints._passed", Counter())
    monkeypatch.setenv(ARMED, f"lake.{point}:raise")
    with pytest.raises(FailpointReached):
        rename(lake)
    monkeypatch.delenv(ARMED)
    assert ("score" in lake.schema("predictions").names) == (point == "before_rename")
    assert rename(lake) == (point == "before_rename")
    assert sorted(lake.read("predictions", [FIRST])["airloom_score"]) == [0.25, 0.5]


def test_a_day_that_is_published_meanwhile_is_renamed_with_the_others(lake, monkeypatch):
    writers = iter([lambda: publish(Lake(lake.root), SECOND, rows(0.125))])

    def reached(name):
        if name == "lake.before_rename" and (writer := next(writers, None)):
            with ThreadPoolExecutor(1) as thread:
                thread.submit(writer).result()

    monkeypatch.setattr("airloom.stores.renaming.failpoint", reached)
    assert rename(lake)
    assert lake.read("predictions", [SECOND])["airloom_score"].tolist() == [0.125]
