import sys
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from uuid import UUID

import numpy as np
import pandas as pd
import pytest

from airloom.core.errors import DataError, DeclarationError, UsageError
from airloom.steps.extract import extract
from airloom.steps.references import load_function, load_reference
from airloom.stores.lake_types import named_type
from airloom.stores.quarantine import Quarantine
from airloom.stores.staging import Staging
from tests.worlds import trips as toy


@pytest.fixture
def settings(tmp_path):
    return toy.installation(tmp_path)


def trips(**columns) -> pd.DataFrame:
    return toy.ordinary_day(toy.DAY)["trips"].assign(**columns)


def test_every_declared_table_is_staged_and_counted(settings):
    staged = extract(toy.trips_pipeline(), toy.DAY, settings)
    assert staged.headline == "40 trips staged: 43 rows in 2 tables"
    assert staged.tables == {"trips": 40, "stations": 3}
    assert [each.name for each in staged.outputs] == ["staging.trips", "staging.stations"]
    assert staged.outputs[0].columns["started_at"] == "timestamp[us, tz=UTC]"
    assert Staging(settings.staging / "toy").read(toy.DAY, "stations").num_rows == 3


def test_the_order_of_the_source_makes_no_difference(settings, monkeypatch):
    first = extract(toy.trips_pipeline(), toy.DAY, settings)
    file = Staging(settings.staging / "toy").path(toy.DAY, "trips")
    content = file.read_bytes()
    toy.returning(monkeypatch, trips=trips().sample(frac=1, random_state=1))
    assert extract(toy.trips_pipeline(), toy.DAY, settings) == first
    assert file.read_bytes() == content


def test_other_content_has_another_digest(settings, monkeypatch):
    first = extract(toy.trips_pipeline(), toy.DAY, settings)
    toy.returning(monkeypatch, trips=trips(minutes=1.0))
    assert extract(toy.trips_pipeline(), toy.DAY, settings).digest != first.digest


@pytest.mark.parametrize("day", [date(2012, 12, 31), date(2013, 12, 31)])
def test_a_day_outside_the_schedule_is_refused(settings, day):
    with pytest.raises(UsageError, match="no such partition"):
        extract(toy.trips_pipeline(), day, settings)


def test_time_zones_become_utc(settings, monkeypatch):
    local = trips().apply(
        lambda column: column.dt.tz_convert("America/New_York") if column.name == "ended_at" else column
    )
    toy.returning(monkeypatch, trips=local)
    extract(toy.trips_pipeline(), toy.DAY, settings)
    rows = Staging(settings.staging / "toy").read(toy.DAY, "trips")
    assert str(rows.schema.field("ended_at").type) == "timestamp[us, tz=UTC]"
    assert rows["ended_at"][0].as_py() == trips()["ended_at"][0]


@pytest.mark.parametrize("nothing", [None, pd.NaT, pd.array([None] * 40, "Int64"), pd.array([None] * 40, "string")])
def test_a_column_without_a_single_value_gets_its_type_with_the_first(settings, monkeypatch, nothing):
    toy.returning(monkeypatch, trips=trips(rider=nothing))
    extract(toy.trips_pipeline(), toy.DAY, settings)
    assert Staging(settings.staging / "toy").read(toy.DAY, "trips")["rider"].null_count == 40


@pytest.mark.parametrize(
    ("given", "declared", "kept"),
    [
        ([11.53, None] * 20, "decimal(18,2)", [Decimal("11.53"), None] * 20),
        ([1, 2] * 20, "decimal(4,1)", [Decimal("1.0"), Decimal("2.0")] * 20),
        ([1.0, None] * 20, "int64", [1, None] * 20),
        ([1, 2] * 20, "float64", [1.0, 2.0] * 20),
        (None, "date", [None] * 40),
        ([1.5, 2] * 20, "int64", None),
        ([11.535] * 40, "decimal(18,2)", None),
        ([float("inf")] * 40, "decimal(18,2)", None),
        (["secret"] * 40, "int64", None),
    ],
)
def test_a_declared_type_is_the_columns_type_or_the_day_is_refused(settings, monkeypatch, given, declared, kept):
    toy.returning(monkeypatch, trips=trips(extra=given))
    tables = toy.trips_pipeline().model_dump(mode="json")["tables"]
    tables["trips"]["columns"] = {"extra": declared}
    pipeline = toy.trips_pipeline(tables=tables)
    if kept is None:
        with pytest.raises(DataError, match="declared type") as refused:
            extract(pipeline, toy.DAY, settings)
        assert refused.value.where == "table trips, column extra"
        assert "secret" not in str(refused.value)
        return
    extract(pipeline, toy.DAY, settings)
    rows = Staging(settings.staging / "toy").read(toy.DAY, "trips")
    assert rows["extra"].to_pylist() == kept
    assert rows.schema.field("extra").type == named_type(declared)


def test_a_type_that_no_column_has_is_an_error_of_the_declaration():
    tables = toy.trips_pipeline().model_dump(mode="json")["tables"]
    for wrong in ("money", "decimal(39,2)", "decimal(4,5)", "decimal"):
        tables["trips"]["columns"] = {"extra": wrong}
        with pytest.raises(ValueError, match="a column's type is one of bool"):
            toy.trips_pipeline(tables=tables)


@pytest.mark.parametrize(
    ("rows", "what", "where"),
    [
        (trips().iloc[:0], "no rows for trips", None),
        (trips().rename(columns={"trip_id": "tripid"}), "no column 'trip_id'. Did you mean 'tripid'?", "table trips"),
        (trips().drop(columns="ended_at"), "no column 'ended_at'", "table trips"),
        (pd.concat([trips(), trips()[["trip_id"]]], axis=1), "columns with the same name", "table trips"),
        (pd.concat([trips(), trips()[["minutes"]]], axis=1), "columns with the same name", "table trips"),
        (trips(Minutes=1), "differ in capitals only", "table trips"),
        (trips(started_at=datetime(2013, 2, 10)), "no time zone", "column started_at"),
        (trips(extra=datetime(2013, 2, 10)), "no time zone", "column extra"),
        (trips(ended_at="2013-02-10"), "is no timestamp", "column ended_at"),
        (trips(minutes=[1, "secret"] * 20), "mixes values of different types", "column minutes"),
        (trips(tags=[["a"], []] * 20), "holds lists, maps or structures", "table trips, column tags"),
        (trips(extra=np.uint64(2**63)), "would become others", "column extra"),
        (trips(extra=2**64), "without a type", "column extra"),
        (trips(extra=[2**64, 1] * 20), "without a type", "column extra"),
        (trips(extra=np.float16(0.5)), "cannot hold", "column extra"),
        (trips(extra=time(12)), "cannot hold", "column extra"),
        (trips(extra=timedelta(1)), "cannot hold", "column extra"),
        (trips(extra=pd.Period("2013-02")), "cannot hold", "column extra"),
        (trips(extra=pd.Interval(0, 1)), "cannot hold", "column extra"),
        (trips(extra=1j), "without a type", "column extra"),
        (trips(extra=UUID(int=7)), "cannot hold", "column extra"),
        (trips(extra="secret \ud800"), "without a type", "column extra"),
        (trips(extra=Fraction(1, 3)), "without a type", "column extra"),
    ],
)
def test_what_cannot_be_staged_is_named(settings, monkeypatch, rows, what, where):
    toy.returning(monkeypatch, trips=rows)
    with pytest.raises(DataError) as caught:
        extract(toy.trips_pipeline(), toy.DAY, settings)
    assert what in caught.value.what
    assert where is None or where in caught.value.where
    assert "secret" not in str(caught.value)
    assert not settings.staging.exists(), "nothing is staged"


def test_undeclared_missing_and_no_tables_are_errors(settings, monkeypatch):
    usual = toy.ordinary_day(toy.DAY)
    for returned, message in (
        ({**usual, "trip": usual["trips"]}, "Did you mean 'trips'"),
        ({"trips": usual["trips"]}, "did not return the table stations"),
        (None, "returned no tables"),
    ):
        monkeypatch.setattr("tests.worlds.trips.source", lambda partition, returned=returned: returned)
        with pytest.raises(DataError, match=message):
            extract(toy.trips_pipeline(), toy.DAY, settings)


def test_a_day_that_cannot_be_staged_is_blocked_so_that_nobody_waits_for_it(settings, monkeypatch):
    toy.returning(monkeypatch, trips=trips().iloc[:0])
    with pytest.raises(DataError):
        extract(toy.trips_pipeline(), toy.DAY, settings)
    assert Quarantine(settings.quarantine / "toy").blocked_days("trips") == {toy.DAY}


def test_an_error_of_the_source_keeps_its_kind(settings, monkeypatch):
    def refused(partition):
        raise ConnectionRefusedError("later, perhaps")

    monkeypatch.setattr("tests.worlds.trips.source", refused)
    with pytest.raises(ConnectionRefusedError):
        extract(toy.trips_pipeline(), toy.DAY, settings)


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("tests.worlds.trips:sources", "has no 'sources'. Did you mean 'source'"),
        ("toy_ingests:source", "no module 'toy_ingests'"),
        ("airloom.nowhere.at_all:source", r"no module 'airloom.nowhere'"),
        ("broken_source:source", "broken_source cannot be imported"),
        ("needy_source:source", "needy_source cannot be imported"),
        ("wrong_source:source", "wrong_source cannot be imported"),
        ("leaving_source:source", "leaving_source cannot be imported"),
    ],
)
def test_a_reference_that_leads_nowhere_is_an_error_of_the_declaration(tmp_path, monkeypatch, reference, message):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "broken_source.py").write_text("def source(:\n")
    (tmp_path / "needy_source.py").write_text("import a_library_that_nobody_has\n")
    (tmp_path / "wrong_source.py").write_text("import sys\nsource = nowhere_defined\n")
    (tmp_path / "leaving_source.py").write_text("import sys\nsys.exit()\n")
    with pytest.raises(DeclarationError, match=message):
        load_reference(reference, tmp_path)


@pytest.mark.parametrize(("code", "line"), [("import json\n\njson.loads('{')", 3), ("import json\ndef f(:", 2)])
def test_a_module_that_cannot_be_imported_is_told_with_file_and_line(tmp_path, monkeypatch, code, line):
    (tmp_path / f"include_{line}").mkdir()
    (tmp_path / f"include_{line}" / "wrong.py").write_text(code)
    with pytest.raises(DeclarationError) as error:
        load_reference(f"include_{line}.wrong", tmp_path)
    assert error.value.where == f"{tmp_path / f'include_{line}' / 'wrong.py'}, line {line}"


def test_a_reference_without_a_name_is_the_module(tmp_path):
    assert load_reference("tests.worlds.trips", tmp_path).DAY == toy.DAY
    assert load_reference("tests.worlds.trips:DAY", tmp_path) + timedelta(days=1) == date(2013, 2, 11)


@pytest.mark.parametrize("column", ["airloom_partition", "Airloom_quality", "airloom_split"])
def test_a_column_with_a_name_of_ours_is_refused_and_blocks_the_day(settings, monkeypatch, column):
    toy.returning(monkeypatch, trips=trips(**{column: 5}))
    with pytest.raises(DataError, match="names are Airloom's own") as refused:
        extract(toy.trips_pipeline(), toy.DAY, settings)
    assert (refused.value.where, refused.value.found) == ("table trips", column)
    assert Quarantine(settings.quarantine / "toy").is_blocked("trips", toy.DAY)
    assert not settings.staging.exists()


FUNCTIONS = """
import asyncio

ROWS = 3


def nothing():
    return {}


def several(partition, connection):
    return {}


async def later(partition):
    return {}


class Source:
    def __init__(self, partition):
        pass


def optional(partition, connection=None):
    return {}
"""


@pytest.mark.parametrize(
    ("name", "what", "found", "line"),
    [
        ("ROWS", "no function", "a int", None),
        ("nothing", "takes other parameters", "nothing()", 7),
        ("several", "takes other parameters", "several(partition, connection)", 11),
        ("later", "a coroutine, which nobody awaits", "async def later", 15),
    ],
)
def test_a_function_that_cannot_be_called_is_told_with_file_and_line(tmp_path, monkeypatch, name, what, found, line):
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "strange_source", raising=False)
    (tmp_path / "strange_source.py").write_text(FUNCTIONS)
    with pytest.raises(DeclarationError, match=what) as error:
        load_function(f"strange_source:{name}", tmp_path, ("partition",))
    assert error.value.found == found
    assert line is None or error.value.where == f"{tmp_path / 'strange_source.py'}, line {line}"
    assert f"{name}(partition)" in error.value.expected


@pytest.mark.parametrize("name", ["Source", "optional"])
def test_whatever_can_be_called_is_taken(tmp_path, monkeypatch, name):
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "strange_source", raising=False)
    (tmp_path / "strange_source.py").write_text(FUNCTIONS)
    assert load_function(f"strange_source:{name}", tmp_path, ("partition",))
