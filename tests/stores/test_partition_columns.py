"""The columns that describe partitions have a prefix in new tables, and none in those of earlier versions."""

from datetime import date, timedelta

import pyarrow as pa
import pytest

from airloom.core.errors import DataError
from airloom.core.reserved import OF_OLDER_TABLES
from airloom.stores.content import NO_ROWS, content_version
from airloom.stores.lake import Lake, PartitionVersion, open_table
from airloom.stores.partition_columns import PARTITION_COLUMNS, own_columns, read_rows
from tests.worlds.older_tables import begin_older

DAY = date(2013, 1, 1)
NEXT, THIRD = DAY + timedelta(days=1), DAY + timedelta(days=2)
ROWS = pa.table({"id": [1, 2], "name": ["a", None]})
#: Columns of UCI's wine data, and the other names that tables had taken.
WINE = pa.table(
    {"id": [1, 2], "quality": [6, 7], "version": ["a", "b"], "inputs": [0.5, None], "partition": ["x", "y"]}
)


def publish(lake, day, rows):
    return lake.replace("raw.things", PartitionVersion(day, content_version(rows)), rows)


def names(lake):
    return open_table(lake.path("raw.things")).metadata().partition_columns


def test_a_new_table_has_the_users_columns_by_every_name_that_tables_had_taken(tmp_path):
    lake = Lake(tmp_path)
    publish(lake, DAY, WINE)
    publish(lake, NEXT, WINE.set_column(1, "quality", pa.array([6.5, None])))
    assert names(lake) == PARTITION_COLUMNS
    assert lake.schema("raw.things").names == WINE.column_names
    assert lake.read("raw.things", [DAY, NEXT]).sort_values("quality")["quality"].tolist()[:3] == [6.0, 6.5, 7.0]
    assert lake.as_published("raw.things", DAY).equals(WINE)
    assert lake.partitions("raw.things")[DAY].version == content_version(WINE)


def test_an_older_table_goes_on_under_its_own_names(place):
    lake = Lake(place)
    first = begin_older(lake, "raw.things", DAY, ROWS)
    more = pa.table({"id": [0.5, 2.0], "name": ["b", "c"], "more": [True, False]})
    publish(lake, NEXT, more)
    publish(lake, THIRD, ROWS.slice(0, 0))
    assert names(lake) == list(OF_OLDER_TABLES)
    assert lake.partitions("raw.things")[DAY] == first
    assert {day: each.version for day, each in lake.partitions("raw.things").items()} == {
        DAY: content_version(ROWS),
        NEXT: content_version(more),
        THIRD: NO_ROWS,
    }
    assert sorted(lake.read("raw.things", [DAY, NEXT])["id"]) == [0.5, 1.0, 2.0, 2.0]
    assert lake.as_published("raw.things", DAY).equals(ROWS)
    assert lake.withdraw("raw.things", lake.partitions("raw.things")[NEXT], {"by": "ann"})
    publish(lake, DAY, ROWS.slice(1))
    assert (sorted(lake.partitions("raw.things")), lake.read("raw.things", [DAY])["id"].tolist()) == ([DAY, THIRD], [2])
    assert lake.at({"raw.things": 0}).read("raw.things", [DAY])["id"].tolist() == [1, 2]


@pytest.mark.parametrize("older", [False, True])
def test_rows_are_read_under_the_same_names_whatever_the_table_calls_them(tmp_path, older):
    lake = Lake(tmp_path)
    begin_older(lake, "raw.things", DAY, ROWS) if older else publish(lake, DAY, ROWS)
    dataset = lake.dataset("raw.things", [DAY])
    assert own_columns(dataset.schema.names) == ROWS.column_names
    rows = read_rows(dataset)
    assert rows.column_names == [*ROWS.column_names, *PARTITION_COLUMNS]
    assert rows.select(PARTITION_COLUMNS).to_pylist()[0] == {
        **dict(zip(PARTITION_COLUMNS, (DAY.isoformat(), content_version(ROWS), None, "ok"), strict=True)),
    }
    assert lake.read("raw.things", [DAY], ["id", PARTITION_COLUMNS[0]]).iloc[0].tolist() == [1, DAY.isoformat()]


@pytest.mark.parametrize("column", OF_OLDER_TABLES)
def test_an_older_table_refuses_columns_by_the_names_of_its_own(tmp_path, column):
    lake = Lake(tmp_path)
    begin_older(lake, "raw.things", DAY, ROWS)
    taken = ROWS.append_column(column, pa.array([6, 7]))
    for use in (
        lambda: publish(lake, NEXT, taken),
        lambda: lake.require_fit("raw.things", NEXT, taken),
        lambda: lake.require_free("raw.things", taken.column_names),
        lambda: lake.read("raw.things", [DAY], ["id", column]),
    ):
        with pytest.raises(DataError, match="was made by an earlier version") as refused:
            use()
        assert (refused.value.found, "a new one takes them" in refused.value.do) == (column, True)
    assert sorted(lake.partitions("raw.things")) == [DAY]
