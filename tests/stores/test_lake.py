from concurrent.futures import ProcessPoolExecutor
from datetime import date, timedelta
from multiprocessing import get_context

import pyarrow as pa
import pytest
from deltalake import DeltaTable
from hypothesis import given
from hypothesis import strategies as st

from airloom.core.errors import DataError
from airloom.stores.lake import Lake, PartitionVersion, content_version

DAY = date(2013, 1, 1)
ROWS = pa.table({"id": [1, 2, 3], "name": ["a", None, "c"]})


def publish(lake, day=DAY, rows=ROWS, **facts):
    return lake.replace("raw.things", PartitionVersion(day, content_version(rows), **facts), rows)


def test_what_is_published_can_be_told_from_the_log_alone(tmp_path):
    lake = Lake(tmp_path)
    publish(lake, inputs="abc", degraded=True)
    assert lake.partitions("raw.things") == {DAY: PartitionVersion(DAY, content_version(ROWS), "abc", True)}


def test_a_table_that_does_not_exist_has_no_partitions(tmp_path):
    assert Lake(tmp_path).partitions("raw.things") == {}
    with pytest.raises(DataError, match="no table raw"):
        Lake(tmp_path).read("raw.things", [DAY])


def test_replacing_a_partition_leaves_the_others_alone(tmp_path):
    lake = Lake(tmp_path)
    publish(lake)
    publish(lake, DAY + timedelta(days=1))
    publish(lake, DAY, pa.table({"id": [9], "name": ["z"]}))
    assert lake.read("raw.things", [DAY])["id"].tolist() == [9]
    assert lake.read("raw.things", [DAY + timedelta(days=1)])["id"].tolist() == [1, 2, 3]


def test_what_was_published_at_a_commit_can_be_told_later(tmp_path):
    lake, other = Lake(tmp_path), pa.table({"id": [9], "name": ["z"]})
    for rows, found in ((ROWS, "bad"), (other, "good")):
        lake.replace("raw.things", PartitionVersion(DAY, content_version(rows)), rows, {"audit": found})
    for commit, rows, found in ((0, ROWS, "bad"), (1, other, "good")):
        assert lake.partitions("raw.things", commit)[DAY].version == content_version(rows)
        assert lake.commit_facts("raw.things", commit) == {DAY: {"audit": found}}
    with pytest.raises(DataError, match="no commit 2 any more"):
        lake.partitions("raw.things", 2)


def test_publishing_the_same_again_writes_nothing(tmp_path):
    lake = Lake(tmp_path)
    assert publish(lake)
    assert not publish(lake)
    assert lake.commit("raw.things") == 0


def test_an_empty_partition_is_refused(tmp_path):
    with pytest.raises(DataError, match="empty partition"):
        publish(Lake(tmp_path), rows=ROWS.slice(0, 0))


def test_an_older_commit_can_be_read_again(tmp_path):
    lake = Lake(tmp_path)
    publish(lake)
    publish(lake, rows=pa.table({"id": [9], "name": ["z"]}))
    assert lake.dataset("raw.things", [DAY], commit=0).to_table().num_rows == 3


def test_the_lake_as_it_was_at_a_commit_stays_that_way(tmp_path):
    lake, other = Lake(tmp_path), pa.table({"id": [9], "name": ["z"]})
    publish(lake)
    was = lake.at({"raw.things": 0})
    publish(lake, rows=other)
    assert was.read("raw.things", [DAY])["id"].tolist() == [1, 2, 3]
    assert was.partitions("raw.things")[DAY].version == content_version(ROWS)
    assert (was.commit("raw.things"), was.commit("raw.others")) == (0, None)


def test_checkpoints_leave_old_commits_readable(tmp_path):
    lake = Lake(tmp_path)
    for number in range(25):
        publish(lake, rows=pa.table({"id": [number], "name": ["z"]}))
    DeltaTable(lake.path("raw.things")).cleanup_metadata()
    assert len(list((lake.path("raw.things") / "_delta_log").glob("*.checkpoint.parquet"))) == 2
    for commit in (0, 9, 24):
        assert lake.at({"raw.things": commit}).read("raw.things", [DAY])["id"].tolist() == [commit]


@pytest.mark.parametrize("name", ["lake", "a lake with änderungen & spaces"])
def test_a_commit_whose_files_are_gone_is_told_before_anything_is_read(tmp_path, name):
    lake = Lake(tmp_path / name)
    publish(lake)
    assert lake.read("raw.things", [DAY])["id"].tolist() == [1, 2, 3]
    next(lake.path("raw.things").rglob("*.parquet")).unlink()
    with pytest.raises(DataError, match="cannot be read any more as it was at commit 0") as error:
        lake.read("raw.things", [DAY])
    assert error.value.found == "1 of 1 file gone"


def _publish_days(root, offset):
    lake = Lake(root)
    for index in range(offset, 30, 3):
        publish(lake, DAY + timedelta(days=index))


def test_processes_that_publish_different_days_at_once_lose_nothing(tmp_path):
    with ProcessPoolExecutor(3, mp_context=get_context("spawn")) as pool:
        list(pool.map(_publish_days, [tmp_path] * 3, range(3)))
    assert len(Lake(tmp_path).partitions("raw.things")) == 30


@given(st.permutations(range(20)))
def test_the_version_does_not_depend_on_the_order_of_rows(order):
    rows = pa.table({"id": list(range(20)), "value": [None if i % 3 else i / 7 for i in range(20)]})
    assert content_version(rows.take(list(order))) == content_version(rows)


def test_the_version_ignores_what_it_is_told_to_ignore():
    stamped = ROWS.append_column("run", pa.array(["x"] * 3))
    assert content_version(stamped, ignore=["run"]) == content_version(ROWS)
    assert content_version(stamped) != content_version(ROWS)
