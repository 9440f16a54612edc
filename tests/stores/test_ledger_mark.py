"""A state database that is gone, emptied, older or another one is not taken for a new one."""

import dataclasses
import shutil
from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest

from airloom.core.errors import SetupError
from airloom.stores.files import read_bytes
from airloom.stores.ledger import Ledger
from airloom.stores.ledger_mark import accept_loss, keep_mark, require_ledger
from airloom.stores.ledger_schema import schema
from airloom.stores.state import state_engine
from tests.worlds.installation import publish, settings_at

DAY = date(2024, 1, 5)


@pytest.fixture(params=["folder", "bucket"])
def lake(request):
    return {"storage": request.getfixturevalue("bucket")} if request.param == "bucket" else {}


@pytest.fixture
def settings(state_url, lake, tmp_path):
    return dataclasses.replace(settings_at(tmp_path), state_url=state_url, **lake)


@pytest.fixture
def on_a_file(tmp_path):
    return settings_at(tmp_path)


def promote(settings, version, pipeline="sales"):
    ledger = Ledger(settings.state_url)
    head = ledger.head(pipeline)
    ledger.promote(
        pipeline,
        expected_epoch=head.epoch if head else 0,
        effective_from=DAY,
        version=version,
        verdict=None,
        actor="test",
        reason="better",
    )


def empty(settings, pipeline="sales"):
    champions = schema().champions
    with state_engine(settings.state_url).begin() as connection:
        connection.execute(champions.delete().where(champions.c.pipeline == pipeline))


def file_of(settings):
    return Path(settings.state_url.removeprefix("sqlite:///"))


def test_a_new_installation_has_lost_nothing(settings):
    keep_mark("sales", settings)
    require_ledger("sales", settings)
    assert accept_loss("sales", settings, "ada") is None


def test_a_mark_may_lag_behind_the_ledger(settings):
    promote(settings, 1)
    require_ledger("sales", settings)
    keep_mark("sales", settings)
    promote(settings, 2)
    require_ledger("sales", settings)


def test_an_emptied_ledger_is_refused_for_the_pipeline_that_had_champions(settings):
    for pipeline in ("sales", "churn"):
        promote(settings, 1, pipeline)
        keep_mark(pipeline, settings)
    empty(settings)
    with pytest.raises(SetupError, match="does not have the champions of sales") as refused:
        require_ledger("sales", settings)
    assert refused.value.found == "no champion"
    assert refused.value.expected.startswith("epoch 1, version 1, decided ")
    require_ledger("churn", settings)


def test_an_older_copy_of_the_database_is_refused_and_the_newer_one_is_not(on_a_file, tmp_path):
    promote(on_a_file, 1)
    shutil.copy(file_of(on_a_file), tmp_path / "backup.db")
    promote(on_a_file, 2)
    keep_mark("sales", on_a_file)
    older = dataclasses.replace(on_a_file, state_url=f"sqlite:///{tmp_path / 'backup.db'}")
    with pytest.raises(SetupError) as refused:
        require_ledger("sales", older)
    assert refused.value.found == "epoch 1, version 1"
    keep_mark("sales", older)
    require_ledger("sales", on_a_file)


def test_another_database_with_as_many_champions_is_refused(on_a_file, tmp_path):
    promote(on_a_file, 1)
    keep_mark("sales", on_a_file)
    other = dataclasses.replace(on_a_file, state_url=f"sqlite:///{tmp_path / 'other.db'}")
    promote(other, 1)
    with pytest.raises(SetupError):
        require_ledger("sales", other)


@pytest.mark.parametrize("left", [None, b""])
def test_a_file_that_is_gone_is_not_made_again_by_reading(on_a_file, left):
    promote(on_a_file, 1)
    keep_mark("sales", on_a_file)
    for file in file_of(on_a_file).parent.iterdir():
        file.unlink()
    if left is not None:
        file_of(on_a_file).write_bytes(left)
    with pytest.raises(SetupError):
        require_ledger("sales", on_a_file)
    assert file_of(on_a_file).exists() == (left is not None)
    assert left is None or not file_of(on_a_file).stat().st_size


def test_whoever_accepts_the_loss_goes_on_and_is_remembered(settings):
    promote(settings, 1)
    keep_mark("sales", settings)
    empty(settings)
    assert accept_loss("sales", settings, "ada").startswith("epoch 1, version 1")
    require_ledger("sales", settings)
    assert accept_loss("sales", settings, "ada") is None
    promote(settings, 7)
    keep_mark("sales", settings)
    empty(settings)
    with pytest.raises(SetupError):
        require_ledger("sales", settings)
    accept_loss("sales", settings, "grace")
    told = read_bytes(settings.lake / "sales" / "ledger.json").decode()
    assert told.index("ada") < told.index("grace")


def test_predictions_without_any_champion_are_of_a_ledger_that_is_gone(settings):
    publish(settings, "sales", "predictions", DAY, pa.table({"shop": ["a"], "score": [0.1]}))
    with pytest.raises(SetupError) as refused:
        require_ledger("sales", settings)
    assert refused.value.expected == "the champion that has made the predictions of the lake"
    assert accept_loss("sales", settings, "ada")
    require_ledger("sales", settings)
