from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from threading import Barrier

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from airloom.core.errors import DataError, Unavailable
from airloom.stores.content import NO_ROWS, content_version
from airloom.stores.files import files_below, remove_file
from airloom.stores.lake import Lake, PartitionVersion, open_table
from airloom.stores.partition_columns import PARTITION_COLUMNS
from airloom.stores.vacuum import vacuum_table
from tests.overtaken import before_the_next_commit
from tests.worlds.processes import map_at_once

DAY = date(2013, 1, 1)
ROWS = pa.table({"id": [1, 2, 3], "name": ["a", None, "c"]})


def publish(lake, day=DAY, rows=ROWS, seen=None, **facts):
    return lake.replace("raw.things", PartitionVersion(day, content_version(rows), **facts), rows, seen=seen)


def test_what_is_published_can_be_told_from_the_log_alone(place):
    lake = Lake(place)
    publish(lake, inputs="abc", degraded=True)
    assert lake.partitions("raw.things") == {DAY: PartitionVersion(DAY, content_version(ROWS), "abc", True)}


def test_a_table_that_does_not_exist_has_no_partitions(place):
    assert Lake(place).partitions("raw.things") == {}
    with pytest.raises(DataError, match="no table raw"):
        Lake(place).read("raw.things", [DAY])


def test_replacing_a_partition_leaves_the_others_alone(place):
    lake = Lake(place)
    publish(lake)
    publish(lake, DAY + timedelta(days=1))
    publish(lake, DAY, pa.table({"id": [9], "name": ["z"]}))
    assert lake.read("raw.things", [DAY])["id"].tolist() == [9]
    assert lake.read("raw.things", [DAY + timedelta(days=1)])["id"].tolist() == [1, 2, 3]


def test_what_was_published_at_a_commit_can_be_told_later(place):
    lake, other = Lake(place), pa.table({"id": [9], "name": ["z"]})
    for rows, found in ((ROWS, "bad"), (other, "good")):
        lake.replace("raw.things", PartitionVersion(DAY, content_version(rows)), rows, {"audit": found})
    for commit, rows, found in ((0, ROWS, "bad"), (1, other, "good")):
        assert lake.partitions("raw.things", commit)[DAY].version == content_version(rows)
        assert lake.commit_facts("raw.things", commit) == {DAY: {"audit": found}}
    with pytest.raises(DataError, match="no commit 2 any more"):
        lake.partitions("raw.things", 2)


def test_publishing_the_same_again_writes_nothing(place):
    lake = Lake(place)
    assert publish(lake)
    assert not publish(lake)
    assert lake.commit("raw.things") == 0


NONE = ROWS.slice(0, 0)
NEXT = DAY + timedelta(days=1)


def ids(lake, *days):
    return lake.read("raw.things", days, columns=["id"])["id"].tolist()


@pytest.mark.parametrize("begun", [False, True], ids=["no table", "a table"])
def test_a_partition_without_rows_is_published(place, begun):
    lake = Lake(place)
    if begun:
        publish(lake, NEXT)
    assert publish(lake, rows=NONE, inputs="abc", degraded=True)
    assert lake.partitions("raw.things")[DAY] == PartitionVersion(DAY, NO_ROWS, "abc", True)
    assert not publish(lake, rows=NONE, inputs="abc", degraded=True)
    assert ids(lake, DAY) == []
    assert ids(lake, DAY, NEXT) == ([1, 2, 3] if begun else [])


def test_a_partition_without_rows_gets_rows_and_loses_them_again(place):
    lake = Lake(place)
    for rows in (NONE, ROWS, NONE, ROWS.slice(1)):
        assert publish(lake, rows=rows)
        assert ids(lake, DAY) == rows["id"].to_pylist()
        assert lake.partitions("raw.things") == {DAY: PartitionVersion(DAY, content_version(rows))}
    assert [ids(lake.at({"raw.things": commit}), DAY) for commit in range(4)] == [[], [1, 2, 3], [], [2, 3]]
    assert [lake.partitions("raw.things", commit)[DAY].version for commit in (0, 2)] == [NO_ROWS, NO_ROWS]


def test_facts_are_kept_with_a_partition_without_rows(place):
    lake = Lake(place)
    for day in (DAY, NEXT):
        lake.replace("raw.things", PartitionVersion(day, NO_ROWS), NONE, {"audit": day.isoformat()})
    assert lake.commit_facts("raw.things", 1) == {day: {"audit": day.isoformat()} for day in (DAY, NEXT)}


def test_a_table_whose_first_day_is_empty_gets_its_types_with_its_first_row(place):
    lake = Lake(place)
    publish(lake, rows=pa.table({"id": pa.array([], pa.null())}))
    assert lake.dataset("raw.things", []).schema.names == PARTITION_COLUMNS
    assert list(lake.read("raw.things", [DAY], columns=["id", "name"])) == ["id", "name"]
    publish(lake, NEXT)
    assert str(lake.dataset("raw.things", []).schema.field("id").type) == "int64"


def test_a_partition_without_rows_gets_columns_that_the_table_lacks(place):
    lake, wider = Lake(place), ROWS.append_column("more", pa.array([0.5, 1.5, None]))
    publish(lake)
    publish(lake, NEXT, NONE)
    publish(lake, NEXT, wider)
    assert lake.read("raw.things", [NEXT])["more"].tolist()[:2] == [0.5, 1.5]
    assert lake.read("raw.things", [DAY])["more"].isna().all()


@pytest.mark.other_content
def test_rows_of_every_type_are_the_same_whether_they_replace_rows_or_none(place):
    """deltalake writes what replaces rows; the lake itself what replaces none."""
    lake, at = Lake(place), [datetime(2013, 1, 1, tzinfo=UTC)]
    kinds = [pa.timestamp("ns", "UTC"), pa.timestamp("s", "UTC"), pa.date32(), pa.large_string(), pa.int8(), pa.bool_()]
    kinds += [pa.float32(), pa.dictionary(pa.int32(), pa.string()), pa.uint16(), pa.timestamp("us", "Europe/Berlin")]
    values = [at, at, [DAY], ["a"], [1], [True], [0.5], ["a"], [1], at]
    rows = pa.table({f"c{n}": pa.array(values[n], kind) for n, kind in enumerate(kinds)})
    for day, before in ((DAY, NONE), (NEXT, ROWS)):
        publish(lake, day, before)
        publish(lake, day, rows)
    columns = rows.column_names
    first, second = (lake.dataset("raw.things", [day]).to_table(columns=columns) for day in (DAY, NEXT))
    assert first.equals(second)


def test_rows_that_do_not_fit_the_table_do_not_replace_a_partition_without_rows(place):
    lake = Lake(place)
    publish(lake)
    publish(lake, NEXT, NONE)
    with pytest.raises(DataError, match="types that the table has") as refused:
        publish(lake, NEXT, pa.table({"id": ["secret"], "name": ["a"]}))
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("mine", [NONE, ROWS], ids=["none", "rows"])
@pytest.mark.parametrize("theirs", [NONE, ROWS.slice(1)], ids=["over none", "over rows"])
@pytest.mark.parametrize("before", [None, NONE, ROWS.slice(2)], ids=["unpublished", "was none", "was rows"])
def test_of_two_writers_one_without_rows_the_last_counts_and_nothing_is_there_twice(
    place, monkeypatch, before, theirs, mine
):
    lake = Lake(place)
    publish(lake, NEXT)
    if before is not None:
        publish(lake, rows=before)
    before_the_next_commit(monkeypatch, lambda: publish(lake, rows=theirs))
    publish(lake, rows=mine)
    assert ids(lake, DAY) == mine["id"].to_pylist()
    actions = open_table(lake.path("raw.things")).get_add_actions(flatten=True)
    assert sorted(actions.column("partition.airloom_partition").to_pylist()) == [DAY.isoformat(), NEXT.isoformat()]


def test_a_writer_without_rows_does_not_mind_other_days(place, monkeypatch):
    lake = Lake(place)
    publish(lake, NEXT, NONE)
    before_the_next_commit(monkeypatch, lambda: publish(lake, NEXT))
    assert publish(lake, rows=NONE)
    assert sorted(lake.partitions("raw.things")) == [DAY, NEXT]
    assert ids(lake, DAY, NEXT) == [1, 2, 3]


def test_checkpoints_and_vacuums_keep_partitions_without_rows(place):
    lake = Lake(place)
    publish(lake, NEXT)
    for number in range(12):
        publish(lake, rows=NONE if number % 2 else pa.table({"id": [number], "name": ["z"]}))
    vacuum_table(lake, "raw.things", timedelta(0), keep=[2, 3], dry_run=False)
    assert lake.partitions("raw.things")[DAY].version == NO_ROWS
    assert ids(lake, DAY, NEXT) == [1, 2, 3]
    assert [ids(lake.at({"raw.things": commit}), DAY) for commit in (2, 3)] == [[], [2]]


@hypothesis_settings(max_examples=15, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), st.lists(st.integers(0, 9), max_size=2)), min_size=1, max_size=8))
def test_the_lake_is_a_dictionary_of_days_with_and_without_rows(tmp_path_factory, writes):
    lake, expected = Lake(tmp_path_factory.mktemp("lake")), {}
    for day, numbers in ((DAY + timedelta(days=place), numbers) for place, numbers in writes):
        publish(lake, day, pa.table({"id": pa.array(numbers, pa.int64())}))
        expected[day] = sorted(numbers)
    assert {day: sorted(ids(lake, day)) for day in lake.partitions("raw.things")} == expected


def test_an_older_commit_can_be_read_again(place):
    lake = Lake(place)
    publish(lake)
    publish(lake, rows=pa.table({"id": [9], "name": ["z"]}))
    assert lake.dataset("raw.things", [DAY], commit=0).to_table().num_rows == 3


def test_the_lake_as_it_was_at_a_commit_stays_that_way(place):
    lake, other = Lake(place), pa.table({"id": [9], "name": ["z"]})
    publish(lake)
    was = lake.at({"raw.things": 0})
    publish(lake, rows=other)
    assert was.read("raw.things", [DAY])["id"].tolist() == [1, 2, 3]
    assert was.partitions("raw.things")[DAY].version == content_version(ROWS)
    assert (was.commit("raw.things"), was.commit("raw.others")) == (0, None)


def test_checkpoints_leave_old_commits_readable(place):
    lake = Lake(place)
    for number in range(25):
        publish(lake, rows=pa.table({"id": [number], "name": ["z"]}))
    open_table(lake.path("raw.things")).cleanup_metadata()
    log = files_below(lake.path("raw.things") / "_delta_log")
    assert sum(each.place.name.endswith(".checkpoint.parquet") for each in log) == 2
    for commit in (0, 9, 24):
        assert lake.at({"raw.things": commit}).read("raw.things", [DAY])["id"].tolist() == [commit]


@pytest.mark.other_content
@pytest.mark.parametrize("name", ["lake", "a lake with änderungen & spaces"])
def test_a_commit_whose_files_are_gone_is_told_before_anything_is_read(place, name):
    lake = Lake(place / name)
    publish(lake)
    assert lake.read("raw.things", [DAY])["id"].tolist() == [1, 2, 3]
    files = [each.place for each in files_below(lake.path("raw.things"))]
    remove_file(next(file for file in files if file.name.startswith("part-")))
    with pytest.raises(DataError, match="cannot be read any more as it was at commit 0") as error:
        lake.read("raw.things", [DAY])
    assert error.value.found == "1 of 1 file gone"


OLD, NEW = (pa.table({"id": [number] * 3, "name": ["a", "b", "c"]}) for number in (1, 2))


@pytest.fixture(params=[None, ROWS], ids=["no table", "a table"])
def looked_at(request, place):
    """A lake, and what a writer has seen of it before others come."""
    lake = Lake(place)
    if request.param:
        publish(lake, rows=request.param)
    return lake, lake.partitions("raw.things")


def test_a_writer_that_stood_still_does_not_replace_what_another_has_published_of_the_day(looked_at, monkeypatch):
    lake, seen = looked_at
    before_the_next_commit(monkeypatch, lambda: publish(lake, rows=NEW))
    with pytest.raises(Unavailable, match=r"has published raw\.things of 2013") as refused:
        publish(lake, rows=OLD, seen=seen)
    assert refused.value.found == f"version {content_version(NEW)}, ok"
    assert refused.value.expected == (f"version {content_version(ROWS)}, ok" if seen else "nothing") + ", as before"
    assert lake.read("raw.things", [DAY])["id"].tolist() == [2, 2, 2]
    assert lake.commit("raw.things") == len(seen)


def test_a_writer_that_stood_still_is_done_where_the_same_is_published_by_now(looked_at, monkeypatch):
    lake, seen = looked_at
    before_the_next_commit(monkeypatch, lambda: publish(lake, rows=NEW))
    assert not publish(lake, rows=NEW, seen=seen)
    assert lake.read("raw.things", [DAY])["id"].tolist() == [2, 2, 2]


def test_a_writer_does_not_mind_what_others_publish_of_other_days_meanwhile(looked_at, monkeypatch):
    (lake, seen), other = looked_at, DAY + timedelta(days=1)
    before_the_next_commit(monkeypatch, lambda: publish(lake, other, NEW))
    assert publish(lake, rows=OLD, seen=seen)
    assert lake.read("raw.things", [DAY])["id"].tolist() == [1, 1, 1]
    assert lake.read("raw.things", [other])["id"].tolist() == [2, 2, 2]


def test_of_writers_that_begin_a_table_with_the_same_day_one_counts_and_no_row_is_there_twice(place, monkeypatch):
    lake = Lake(place)
    before_the_next_commit(monkeypatch, lambda: publish(lake, rows=OLD))
    assert publish(lake, rows=NEW)
    assert lake.read("raw.things", [DAY])["id"].tolist() == [2, 2, 2]


def _begin(root, number, together):
    together.wait()
    return publish(Lake(root), rows=pa.table({"id": [number] * 3}))


def test_writers_that_begin_a_table_at_the_same_moment_leave_the_rows_of_one(place):
    for turn in range(20):
        root, together = place / f"{turn}", Barrier(3, timeout=600)
        with ThreadPoolExecutor(3) as threads:
            begun = [threads.submit(_begin, root, number, together) for number in range(3)]
        assert [each.result() for each in begun] == [True, True, True]
        assert len(Lake(root).read("raw.things", [DAY])) == 3


def _publish_days(root, offset):
    lake = Lake(root)
    for index in range(offset, 30, 3):
        publish(lake, DAY + timedelta(days=index))


def test_processes_that_publish_different_days_at_once_lose_nothing(place):
    map_at_once(_publish_days, [place] * 3, range(3), processes=3)
    assert len(Lake(place).partitions("raw.things")) == 30


def _replace_a_day(root, writer):
    lake = Lake(root)
    for turn in range(5):
        publish(lake, rows=pa.table({"id": [100 * writer + turn] * 50}))
    return writer


def test_processes_that_replace_the_same_day_at_once_leave_what_one_of_them_has_written_last(place):
    assert map_at_once(_replace_a_day, [place] * 2, range(2), processes=2) == [0, 1]
    lake = Lake(place)
    rows = lake.dataset("raw.things", [DAY]).to_table(columns=["id"])
    assert set(rows["id"].to_pylist()) in ({4}, {104})
    assert rows.num_rows == 50
    assert lake.partitions("raw.things")[DAY].version == content_version(rows)
    assert lake.commit("raw.things") == 9
