"""Files that are copied where somebody else may write: nothing is ever replaced."""

import pytest

from airloom.core.errors import DataError
from airloom.stores.copied_files import copy_files
from airloom.stores.files import create_file, files_below, read_bytes

pytestmark = pytest.mark.other_content

COMMIT, CHECKPOINT = "table/_delta_log/00000000000000000000.json", "table/_delta_log/_last_checkpoint"
FILES = {"table/a.parquet": "rows", COMMIT: "ours", CHECKPOINT: "1"}


@pytest.fixture
def source(tmp_path):
    for name, text in FILES.items():
        create_file(tmp_path / "source" / name, text)
    return tmp_path / "source"


def written_meanwhile(place, name, text):
    """Write a file once the copying has begun, after what is there was listed."""
    return lambda *_: create_file(place / name, text)


def test_every_file_is_there_as_it_was(source, place):
    reports = []
    assert copy_files(source, place, lambda *report: reports.append(report)) == 3
    assert {name: read_bytes(place / name).decode() for name in FILES} == FILES
    assert len(list(files_below(place))) == 3
    assert reports == [(1, 3), (2, 3), (3, 3)]
    assert copy_files(source, place, print) == 0


def test_a_commit_that_somebody_else_makes_meanwhile_is_not_replaced_and_told(source, place):
    with pytest.raises(DataError, match="was written while files were copied") as error:
        copy_files(source, place, written_meanwhile(place, COMMIT, "them"))
    assert error.value.where == str(place / COMMIT)
    assert read_bytes(place / COMMIT) == b"them"


@pytest.mark.parametrize(("name", "text"), [(COMMIT, "ours"), (CHECKPOINT, "2")], ids=["the same", "a checkpoint"])
def test_what_somebody_else_may_write_meanwhile_stays(source, place, name, text):
    copy_files(source, place, written_meanwhile(place, name, text))
    assert read_bytes(place / name).decode() == text
