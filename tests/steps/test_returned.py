"""What a source may return: the same rows in whatever library are the same day; anything else is named."""

from datetime import UTC, datetime

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from airloom.core.errors import DataError
from airloom.steps.extract import extract
from airloom.steps.returned import columns_of
from airloom.stores.staging import Staging
from tests.worlds import trips as toy


@pytest.fixture
def settings(tmp_path):
    return toy.installation(tmp_path)


def trips():
    rows = toy.ordinary_day(toy.DAY)["trips"]
    return rows.assign(minutes=rows["minutes"].where(rows.index % 7 > 0), big=2**53 + rows.index.to_numpy())


def arrow():
    return pa.Table.from_pandas(trips(), preserve_index=False)


def dictionaries():
    return trips().astype(object).where(trips().notna(), None).to_dict("records")


FORMS = {
    "Arrow table": arrow,
    "record batch": lambda: arrow().combine_chunks().to_batches()[0],
    "record batch reader": lambda: arrow().to_reader(max_chunksize=7),
    "DuckDB": lambda: duckdb.from_arrow(arrow()),
    "dictionaries": dictionaries,
    "dictionaries without what is missing": lambda: [
        {name: value for name, value in row.items() if value is not None} for row in dictionaries()
    ],
    "iterator of frames": lambda: (trips().iloc[start : start + 9] for start in range(0, 40, 9)),
    "list of frames": lambda: [trips().iloc[:10], arrow().slice(10)],
    "NaN of Arrow": lambda: arrow().set_column(
        arrow().column_names.index("minutes"), "minutes", pa.array(trips()["minutes"].to_numpy(), from_pandas=False)
    ),
    "strings of Arrow as views": lambda: pa.table(
        {
            name: column.cast(pa.string_view()) if pa.types.is_string(column.type) else column
            for name, column in zip(arrow().column_names, arrow().columns, strict=True)
        }
    ),
}


def staged(settings, monkeypatch, returned):
    toy.returning(monkeypatch, trips=returned)
    record = extract(toy.trips_pipeline(), toy.DAY, settings)
    return record.outputs[0].version, Staging(settings.staging / "toy").read(toy.DAY, "trips")


@pytest.mark.parametrize("form", FORMS)
def test_the_same_rows_are_the_same_day(form, settings, monkeypatch):
    version, rows = staged(settings, monkeypatch, trips())
    again, found = staged(settings, monkeypatch, FORMS[form]())
    assert found.equals(rows)
    assert again == version


def test_whole_numbers_pass_through_no_float():
    [(_, column)] = columns_of("t", [{"a": 2**53 + 1}, {"a": None}], "source")
    assert column.to_pylist() == [2**53 + 1, None]


def test_a_frame_without_a_column_of_others_has_no_values_of_it():
    frames = (pd.DataFrame({"a": [1]}), pd.DataFrame({"a": [2], "b": ["x"]}), pd.DataFrame({"a": [3], "b": [None]}))
    assert dict(columns_of("t", iter(frames), "source"))["b"].to_pylist() == [None, "x", None]


@pytest.mark.parametrize(
    ("returned", "found"),
    [
        (None, "NoneType"),
        (pd.Series([1]), "Series"),
        ({"a": [1]}, "dict"),
        (np.zeros((2, 2)), "ndarray"),
        ("rows", "str"),
        (datetime(2024, 1, 1, tzinfo=UTC), "datetime"),
        (lambda day: day, "function"),
    ],
)
def test_anything_else_is_named(returned, found):
    with pytest.raises(DataError) as error:
        columns_of("trips", returned, "include.toy.source:extract")
    assert error.value.what == "The source returned no rows of trips that can be read."
    assert (error.value.where, error.value.found) == ("include.toy.source:extract", found)


def test_frames_of_different_types_are_named_and_not_cast():
    frames = [pd.DataFrame({"a": [1], "b": ["x"]}), pd.DataFrame({"a": [1.5], "b": ["y"]})]
    with pytest.raises(DataError) as error:
        columns_of("trips", frames, "source")
    assert (error.value.where, error.value.found) == ("table trips, column a", "double, int64")


def test_dictionaries_that_mix_types_are_named_without_a_value():
    with pytest.raises(DataError, match="mixes values of different types") as error:
        columns_of("trips", [{"a": "secret"}, {"a": 4711}], "source")
    assert error.value.found == "int, str"
    assert "secret" not in str(error.value)


@pytest.mark.parametrize("nothing", [[], iter(()), pa.table({}), pd.DataFrame()])
def test_nothing_is_no_rows(nothing):
    assert sum(len(column) for _, column in columns_of("trips", nothing, "source")) == 0
