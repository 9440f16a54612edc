from datetime import date

import pyarrow as pa
import pytest

from airloom.core.errors import DataError
from airloom.stores.files import files_below, read_bytes, replaced_file
from airloom.stores.staging import Staging

DAY = date(2013, 2, 10)
ROWS = pa.table({"flight_id": ["a", "b"]})


@pytest.fixture
def staging(place):
    return Staging(place / "staging")


def write(place, content):
    with replaced_file(place) as file:
        file.write_bytes(content)


def test_what_is_staged_is_read_back(staging):
    staging.write(DAY, "flights", ROWS)
    assert staging.read(DAY, "flights") == ROWS


def test_staging_again_replaces_and_leaves_nothing_else_behind(staging):
    staging.write(DAY, "flights", ROWS)
    staging.write(DAY, "flights", ROWS.slice(1))
    assert staging.read(DAY, "flights").num_rows == 1
    assert [file.place for file in files_below(staging.root)] == [staging.path(DAY, "flights")]


def test_a_missing_an_empty_and_a_broken_file_are_three_errors(staging):
    file = staging.path(DAY, "flights")
    with pytest.raises(DataError, match="has not been staged"):
        staging.read(DAY, "flights")
    staging.write(DAY, "flights", ROWS)
    content = read_bytes(file)
    write(file, b"")
    with pytest.raises(DataError, match="is an empty file"):
        staging.read(DAY, "flights")
    write(file, content[: len(content) // 2])
    with pytest.raises(DataError, match="cannot be read"):
        staging.read(DAY, "flights")


def test_a_write_that_fails_changes_nothing(place):
    file = place / "a" / "file"
    write(file, b"old")
    with pytest.raises(OSError, match="full"), replaced_file(file) as temporary:  # noqa: PT012
        temporary.write_text("half of the n")
        raise OSError("disk full")
    assert read_bytes(file) == b"old"
    assert [each.place for each in files_below(place)] == [file]
