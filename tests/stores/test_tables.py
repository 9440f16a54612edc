"""Tables that are opened once: what is new in them is seen, and so is that they are not the same any more."""

import shutil
import threading
from datetime import date

import deltalake
import pyarrow as pa
import pytest
from deltalake.exceptions import TableNotFoundError

from airloom.stores import tables
from airloom.stores.content import content_version
from airloom.stores.files import files_below, remove_file, remove_folder
from airloom.stores.lake import Lake, PartitionVersion
from airloom.stores.tables import open_table

FIRST, SECOND = date(2024, 1, 1), date(2024, 1, 2)


@pytest.fixture
def lake(place):
    return Lake(place)


def publish(lake, day, value):
    rows = pa.table({"value": [value]})
    lake.replace("raw.trips", PartitionVersion(day, content_version(rows)), rows)


def publish_elsewhere(lake, day, value):
    """Publish as another process does, whose tables are its own."""
    other = threading.Thread(target=publish, args=(lake, day, value))
    other.start()
    other.join()


def read_as_a_whole(monkeypatch):
    """Count the tables whose log is read as a whole from now on."""
    read, table = [], deltalake.DeltaTable

    def counted(*arguments, **options):
        read.append(arguments)
        return table(*arguments, **options)

    monkeypatch.setattr(deltalake, "DeltaTable", counted)
    return read


def test_a_table_is_read_as_a_whole_once(lake, monkeypatch):
    publish(lake, FIRST, 1)
    lake.partitions("raw.trips")
    read = read_as_a_whole(monkeypatch)
    publish(lake, SECOND, 2)
    assert set(lake.partitions("raw.trips")) == {FIRST, SECOND}
    assert lake.commit("raw.trips") == 1
    assert read == []


def test_what_others_publish_is_seen(lake, monkeypatch):
    publish(lake, FIRST, 1)
    lake.partitions("raw.trips")
    read = read_as_a_whole(monkeypatch)
    for number in range(25):
        publish_elsewhere(lake, SECOND, number)
    read.clear()
    assert lake.commit("raw.trips") == 25
    assert lake.read("raw.trips", [SECOND])["value"].tolist() == [24]
    assert read == []


def test_a_table_that_is_gone_is_seen_to_be(lake, place):
    publish(lake, FIRST, 1)
    assert lake.commit("raw.trips") == 0
    remove_folder(lake.path("raw.trips"))
    assert lake.partitions("raw.trips") == {}
    with pytest.raises(TableNotFoundError):
        open_table(lake.path("raw.trips"))


def test_a_table_that_was_restored_is_read_anew(lake):
    publish(lake, FIRST, 1)
    publish(lake, SECOND, 2)
    assert lake.commit("raw.trips") == 1
    [commit] = [each.place for each in files_below(lake.path("raw.trips")) if each.place.name.endswith("1.json")]
    remove_file(commit)
    assert set(lake.partitions("raw.trips")) == {FIRST}


def test_another_table_with_as_many_commits_is_read_anew(tmp_path):
    lake = Lake(tmp_path / "lake")
    publish(lake, FIRST, 1)
    assert lake.read("raw.trips", [FIRST])["value"].tolist() == [1]
    publish(Lake(tmp_path / "other"), FIRST, 2)
    shutil.rmtree(tmp_path / "lake")
    shutil.copytree(tmp_path / "other", tmp_path / "lake")
    assert lake.read("raw.trips", [FIRST])["value"].tolist() == [2]


def test_a_commit_stays_what_it_is(lake, monkeypatch):
    publish(lake, FIRST, 1)
    path = lake.path("raw.trips")
    old = open_table(path, 0)
    publish(lake, SECOND, 2)
    read = read_as_a_whole(monkeypatch)
    assert open_table(path, 0) is old
    assert set(lake.partitions("raw.trips", 0)) == {FIRST}
    assert set(lake.partitions("raw.trips")) == {FIRST, SECOND}
    assert len(read) <= 1


def test_new_credentials_open_a_table_anew(bucket, s3_client, s3):
    lake = Lake(bucket)
    publish(lake, FIRST, 1)
    old = open_table(lake.path("raw.trips"))
    assert open_table(lake.path("raw.trips")) is old
    s3_client(s3.url, AWS_ACCESS_KEY_ID="another-key-id")
    assert open_table(lake.path("raw.trips")) is not old


def test_each_thread_has_tables_of_its_own(lake):
    publish(lake, FIRST, 1)
    path, found = lake.path("raw.trips"), []
    thread = threading.Thread(target=lambda: found.append(open_table(path)))
    thread.start()
    thread.join()
    assert found[0] is not open_table(path)


def test_not_every_table_is_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "_MOST", 2)
    for number in range(5):
        publish(Lake(tmp_path / str(number)), FIRST, 1)
        assert Lake(tmp_path / str(number)).commit("raw.trips") == 0
    assert len(tables._tables()) <= 2
