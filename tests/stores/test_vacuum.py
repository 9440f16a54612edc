import os
from datetime import date, timedelta

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airloom.core.errors import DataError
from airloom.stores.content import content_version
from airloom.stores.files import files_below
from airloom.stores.lake import Lake, PartitionVersion
from airloom.stores.vacuum import vacuum_files, vacuum_table

DAY, NOW, LONG = date(2024, 1, 1), timedelta(0), timedelta(days=30)
DAYS = [DAY + timedelta(days=number) for number in range(3)]


def lake_with(folder, commits, table="raw.things"):
    """Publish one of three days with each commit, so that old commits need files that newer ones have replaced."""
    lake = Lake(folder)
    for number in range(commits):
        rows = pa.table({"number": [number]})
        lake.replace(table, PartitionVersion(DAYS[number % 3], content_version(rows)), rows)
    return lake


def read(lake, commit):
    return sorted(lake.at({"raw.things": commit}).read("raw.things", DAYS)["number"].tolist())


def expected(commit):
    return list(range(max(0, commit - 2), commit + 1))


def data_files(lake):
    return [file for file in files_below(lake.path("raw.things")) if "_delta_log" not in str(file.place)]


def let_age(files, days=2):
    for file in files:
        moment = file.stat().st_mtime - days * 86400
        os.utime(file, (moment, moment))


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(4, 24), st.sets(st.integers(0, 30), max_size=4))
def test_kept_commits_and_the_newest_stay_readable_and_nothing_else_does(tmp_path_factory, commits, keep):
    lake = lake_with(tmp_path_factory.mktemp("lake"), commits)
    vacuum_table(lake, "raw.things", NOW, keep, dry_run=False)
    needed = {number for commit in {*keep, commits - 1} if commit < commits for number in expected(commit)}
    assert len(data_files(lake)) == len(needed)
    for commit in range(commits):
        if set(expected(commit)) <= needed:
            assert read(lake, commit) == expected(commit)
        else:
            with pytest.raises(DataError, match=f"cannot be read any more as it was at commit {commit}"):
                read(lake, commit)


def test_kept_commits_stay_readable_after_the_checkpoints_and_vacuums_that_follow(place):
    lake = lake_with(place, 12)
    for more in range(3):
        for number in range(12):
            rows = pa.table({"number": [100 * more + number + 100]})
            lake.replace("raw.things", PartitionVersion(DAYS[number % 3], content_version(rows)), rows)
        vacuum_table(lake, "raw.things", NOW, [2, 7], dry_run=False)
    log = files_below(lake.path("raw.things") / "_delta_log")
    assert sum(each.place.name.endswith(".checkpoint.parquet") for each in log) >= 4
    assert [read(lake, commit) for commit in (2, 7)] == [expected(2), expected(7)]
    assert sorted(lake.read("raw.things", DAYS)["number"].tolist()) == [309, 310, 311]


def test_a_commit_that_was_vacuumed_is_told_with_the_day(place):
    lake = lake_with(place, 8)
    vacuum_table(lake, "raw.things", NOW, [], dry_run=False)
    with pytest.raises(DataError) as error:
        read(lake, 3)
    assert error.value.found.startswith("3 of 3 files gone, vacuumed on 20")


def test_what_was_replaced_within_the_retention_stays(place):
    lake = lake_with(place, 8)
    assert vacuum_table(lake, "raw.things", LONG, [], dry_run=False).files == 0
    assert read(lake, 0) == [0]
    assert lake.commit("raw.things") == 7


def test_a_dry_run_counts_and_removes_nothing(place):
    lake = lake_with(place, 8)
    size = sum(file.size for file in data_files(lake))
    would = vacuum_table(lake, "raw.things", NOW, [], dry_run=True)
    assert (len(data_files(lake)), lake.commit("raw.things")) == (8, 7)
    assert vacuum_table(lake, "raw.things", NOW, [], dry_run=False) == would
    assert (would.files, would.size) == (5, size - sum(file.size for file in data_files(lake)))


def test_a_vacuum_that_removes_nothing_leaves_no_commit(place):
    lake = lake_with(place, 8)
    assert vacuum_table(lake, "raw.things", NOW, [2], dry_run=False).files == 2
    commit = lake.commit("raw.things")
    assert vacuum_table(lake, "raw.things", NOW, [2], dry_run=False).files == 0
    assert lake.commit("raw.things") == commit


def test_files_that_no_commit_names_go_when_no_write_can_be_under_way(tmp_path):
    lake = lake_with(tmp_path, 2)
    left = data_files(lake)[0].place.with_name("left-behind.parquet")
    left.write_bytes(b"half a file")
    assert vacuum_table(lake, "raw.things", NOW, [], dry_run=False).files == 0
    let_age([left])
    assert vacuum_table(lake, "raw.things", LONG, [], dry_run=False).files == 0
    assert vacuum_table(lake, "raw.things", NOW, [], dry_run=False).files == 1
    assert not left.exists()


def test_a_lake_lists_its_tables(place):
    for table in ("raw.things", "features.rates", "predictions"):
        lake_with(place, 1, table)
    assert Lake(place).tables() == ["features.rates", "predictions", "raw.things"]
    assert Lake(place / "nothing").tables() == []


def test_files_go_by_their_age_and_never_within_a_day(tmp_path):
    old, new = tmp_path / "old", tmp_path / "new"
    for file in (old, new):
        file.write_bytes(b"four")
    let_age([old])
    files = list(files_below(tmp_path))
    assert vacuum_files("staging", files, LONG, dry_run=False).files == 0
    assert vacuum_files("staging", files, NOW, dry_run=True).size == 4
    assert old.exists()
    assert vacuum_files("staging", files, NOW, dry_run=False).files == 1
    assert (old.exists(), new.exists()) == (False, True)


@pytest.mark.parametrize("inner", ["raw.things.items", "raw.things.items.old"])
@pytest.mark.parametrize("dry_run", [False, True])
def test_a_folder_that_holds_another_table_is_left_alone(tmp_path, inner, dry_run):
    lake = lake_with(tmp_path, 8)
    lake_with(tmp_path, 8, inner)
    before = sorted(tmp_path.rglob("*"))
    let_age(file for file in before if file.is_file())
    freed = vacuum_table(lake, "raw.things", NOW, [], dry_run)
    assert (freed.files, freed.holds) == (0, (inner.removeprefix("raw.things.").replace(".", "/"),))
    assert sorted(tmp_path.rglob("*")) == before
    assert sorted(lake.read(inner, DAYS)["number"]) == expected(7)


def test_a_table_beside_another_of_a_longer_name_is_vacuumed(tmp_path):
    lake = lake_with(tmp_path, 8)
    lake_with(tmp_path, 8, "raw.things_of_others")
    freed = vacuum_table(lake, "raw.things", NOW, [], dry_run=False)
    assert (freed.files, freed.holds) == (5, ())
