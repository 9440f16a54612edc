"""What a label may be, whatever type its column has, in a table of its own, in the scored row and by a query."""

from datetime import date, timedelta
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from airloom.core.errors import DataError
from airloom.core.partitions import as_of, day_range
from airloom.core.pipeline import Label, Pipeline
from airloom.steps.examples import add_labels, describe_label, scored_rows
from airloom.steps.label import compute_labels
from airloom.steps.label_values import label_codes, label_name
from airloom.stores.lake import Lake
from tests.worlds.installation import declaration, project_at, publish, settings_at

DAY, NIGHT = date(2024, 5, 6), date(2024, 5, 12)


def label(**facts):
    return Label.model_validate({"table": "t", "column": "y", "horizon": "1d", **facts})


BINARY, YES = label(), label(classes=("no", "yes"))
NUMBERED, SIGNED = label(classes=("1", "2")), label(classes=("-1", "1"))
GRADES = label(kind="multiclass", classes=("0", "1", "2"))
WORDS = label(kind="multiclass", classes=("near", "middle", "far"))
AMOUNT = label(kind="regression")
NAN = float("nan")


@pytest.mark.parametrize(
    ("declared", "values", "codes", "unknown"),
    [
        (BINARY, pd.Series([0, 1]), [0, 1], 0),
        (BINARY, pd.Series([False, True, None]), [0, 1, NAN], 0),
        (BINARY, pd.Series([0.0, NAN, 1.0]), [0, NAN, 1], 0),
        (BINARY, pd.Series([0, None, 1], dtype="Int64"), [0, NAN, 1], 0),
        (BINARY, pd.Series([True, None], dtype="boolean"), [1, NAN], 0),
        (BINARY, pd.Series([Decimal("0"), Decimal("1.00")]), [0, 1], 0),
        (BINARY, pd.Series([-1, 1]), [NAN, 1], 1),
        (BINARY, pd.Series([1, 2]), [1, NAN], 1),
        (BINARY, pd.Series([0.5, 1.0]), [NAN, 1], 1),
        (BINARY, pd.Series(["no", "yes"]), [NAN, NAN], 2),
        (BINARY, pd.Series([np.inf]), [NAN], 1),
        (YES, pd.Series(["yes", "no", None, "maybe"]), [1, 0, NAN, NAN], 1),
        (YES, pd.Series(["yes", "no"], dtype="category"), [1, 0], 0),
        (NUMBERED, pd.Series([1, 2]), [0, 1], 0),
        (NUMBERED, pd.Series([1.0, NAN, 2.0]), [0, NAN, 1], 0),
        (NUMBERED, pd.Series([1, None, 2], dtype="Int64"), [0, NAN, 1], 0),
        (NUMBERED, pd.Series([1.5]), [NAN], 1),
        (SIGNED, pd.Series([-1, 1]), [0, 1], 0),
        (SIGNED, pd.Series([Decimal(-1), Decimal(1)]), [0, 1], 0),
        (label(classes=("false", "true")), pd.Series([True, False]), [1, 0], 0),
        (label(classes=("0.0", "1.0")), pd.Series([0.0, 1.0]), [0, 1], 0),
        (GRADES, pd.Series([2, None, 0], dtype="Int64"), [2, NAN, 0], 0),
        (GRADES, pd.Series([2.0, NAN, 0.0], dtype="float32"), [2, NAN, 0], 0),
        (GRADES, pd.Series([3, 1]), [NAN, 1], 1),
        (WORDS, pd.Series(["far", "near", "beyond"]), [2, 0, NAN], 1),
        (AMOUNT, pd.Series([-1.5, np.inf, -np.inf, NAN]), [-1.5, NAN, NAN, NAN], 2),
        (AMOUNT, pd.Series([Decimal("2.50"), None]), [2.5, NAN], 0),
        (AMOUNT, pd.Series([2**53, 2**53 + 1]), [2.0**53, NAN], 1),
        (AMOUNT, pd.Series(["12"]), [NAN], 1),
        (AMOUNT, pd.Series([], dtype=object), [], 0),
    ],
)
def test_every_type_has_one_reading(declared, values, codes, unknown):
    found, not_known = label_codes(declared, values)
    np.testing.assert_array_equal(found.to_numpy(dtype=float), codes)
    assert int(not_known.sum()) == unknown


@hypothesis_settings(deadline=None)
@given(st.lists(st.one_of(st.none(), st.integers(-3, 3), st.booleans(), st.floats(), st.text(max_size=3))))
def test_a_label_is_known_missing_or_counted_and_a_known_one_has_its_own_name(values):
    for declared in (BINARY, SIGNED, GRADES, AMOUNT):
        series = pd.Series(values, dtype=object)
        codes, unknown = label_codes(declared, series)
        assert (codes.notna() ^ unknown ^ series.isna()).all()
        assert np.isfinite(codes.dropna()).all()
        if declared.classes:
            names = {label_name(declared, code) for code in codes.dropna()}
            assert names <= set(declared.classes)


#: Three pipelines that are not flights: what is scored, by what key, and where the label is.
def tickets(**facts):
    """Support tickets, each with its label in its own row of another table."""
    return pipeline_of("tickets", {"table": "answers", "column": "solved", **facts}, ("inbox", "answers"))


def meters(**facts):
    """Readings of meters, whose label is computed by a query."""
    query = {"sql": "used.sql", "reads": ["readings"], "column": "used", **facts}
    return pipeline_of("meters", query, ("inbox", "readings"))


def pipeline_of(name, facts, tables):
    table = {"key": ["id", "day"], "time": "at", "known_at": "at", "expectations": "none.yaml"}
    return Pipeline.model_validate(
        declaration(
            name,
            schedule={"nightly": "02:00", "timezone": "Asia/Kolkata", "start": DAY},
            tables=dict.fromkeys(tables, table),
            features={"module": "none", "views": {"v": {"reads": tables[1], "window": "7d", "sql": "v.sql"}}},
            label={"key": ["id", "day"], "horizon": "1d", **facts},
            gate={"metric": {"regression": "r2", "multiclass": "accuracy"}.get(facts.get("kind"), "roc_auc")},
            score={"entities": "inbox"},
        )
    )


def rows_at(day, hours, **columns):
    at = pd.Timestamp(as_of(day, "Asia/Kolkata")) + pd.Timedelta(hours=hours)
    count = len(next(iter(columns.values())))
    key = {"id": pa.array(range(count)), "day": pa.array([DAY.isoformat()] * count)}
    return pa.table({**key, "at": pa.array([at] * count, pa.timestamp("us", "UTC")), **columns})


def joined(pipeline, values, folder):
    """Publish a day of scored rows and their labels; return what training gets of them."""
    settings, values = settings_at(folder), pa.array(values)
    publish(settings, pipeline.name, "raw.inbox", DAY, rows_at(DAY, -1, place=values.is_valid()))
    answers = rows_at(DAY, 2, **{pipeline.label.column: values})
    publish(settings, pipeline.name, f"raw.{pipeline.label.table}", DAY + timedelta(days=1), answers)
    lake = Lake(settings.lake / pipeline.name)
    rows, _ = scored_rows(pipeline, [DAY], lake)
    return add_labels(pipeline, rows, NIGHT, lake)


@pytest.mark.parametrize(
    ("facts", "values", "said", "found"),
    [
        ({}, [-1, 1, 1, None], "neither 0 nor 1", "1 of 3 labels"),
        ({}, ["yes", "no"], "neither 0 nor 1", "2 of 2 labels"),
        ({}, [0.5, 0.0, 1.0], "neither 0 nor 1", "1 of 3 labels"),
        ({"classes": ["no", "yes"]}, ["yes", "secret"], "does not name", "1 of 2 labels"),
        ({"kind": "multiclass", "classes": ["a", "b", "c"]}, ["a", "secret"], "does not name", "1 of 2 labels"),
        ({"kind": "regression"}, [1.0, float("inf")], "no finite numbers", "1 of 2 labels"),
    ],
)
def test_what_is_not_declared_stops_a_training_with_counts_or_is_left_out(facts, values, said, found, tmp_path):
    with pytest.raises(DataError, match=said) as refused:
        joined(tickets(**facts), values, tmp_path)
    assert (refused.value.found, refused.value.where) == (found, "pipeline tickets, table answers")
    assert "secret" not in str(refused.value)
    assert "label.unknown: drop" in refused.value.do
    rows, dropped = joined(tickets(**facts, unknown="drop"), values, tmp_path)
    assert dropped["label not declared"] == int(found[0])
    assert dropped["without a label"] == values.count(None)
    assert len(rows) == len(values) - int(found[0]) - values.count(None)


@pytest.mark.parametrize(
    ("facts", "values", "expected"),
    [
        ({"classes": ["-1", "1"]}, [-1, 1, 1], [0, 1, 1]),
        ({"classes": ["no", "yes"]}, ["yes", "no", "yes"], [1, 0, 1]),
        ({"classes": ["1", "2"]}, [1, None, 2], [0, 1]),
        ({"classes": ["stays", "leaves"], "missing": "negative"}, ["leaves", "stays", "leaves"], [1, 0, 1]),
        ({"kind": "multiclass", "classes": ["0", "1", "2"]}, [2, None, 0], [2, 0]),
        ({"kind": "multiclass", "classes": ["-1", "3", "7"]}, [7, None, -1], [2, 0]),
    ],
)
def test_declared_classes_are_their_positions(facts, values, expected, tmp_path):
    rows, _ = joined(tickets(**facts), values, tmp_path)
    assert list(rows["solved"]) == expected


def test_a_row_without_an_outcome_is_of_the_first_of_two_declared_classes(tmp_path):
    settings, pipeline = settings_at(tmp_path), tickets(classes=["stays", "leaves"], missing="negative")
    publish(settings, "tickets", "raw.inbox", DAY, rows_at(DAY, -1, place=pa.array([True, True, True])))
    publish(settings, "tickets", "raw.answers", NIGHT, rows_at(DAY, 2, solved=pa.array(["leaves"])))
    lake = Lake(settings.lake / "tickets")
    rows, _ = scored_rows(pipeline, [DAY], lake)
    found, _ = add_labels(pipeline, rows, NIGHT, lake)
    assert list(found["solved"]) == [1.0, 0.0, 0.0]
    assert describe_label(pipeline, rows.head(1), lake)["label"] == "leaves"
    assert describe_label(pipeline, rows.tail(1), lake)["label"] == "stays"


@pytest.mark.parametrize(
    ("facts", "expression", "expected"),
    [
        ({"classes": ["low", "high"]}, "if(r.id = 0, 'high', 'low')", [1, 0]),
        ({"classes": ["-1", "1"]}, "if(r.id = 0, -1, 1)", [0, 1]),
        ({}, "r.id = 1", [0, 1]),
        ({}, "r.id - 1", "neither 0 nor 1"),
        ({}, "if(r.id = 0, 'high', 'low')", "is a number"),
        ({"kind": "regression"}, "9007199254740993 + r.id", "do not fit the type"),
        ({"kind": "regression"}, "90071992547409.93::DECIMAL(38, 2) + r.id", [90071992547409.93, 90071992547410.93]),
        ({"kind": "regression"}, "0.35::DECIMAL(38, 2) + r.id", [0.35, 1.35]),
        ({"kind": "regression"}, "'inf'::DOUBLE", "no finite numbers"),
    ],
)
def test_a_query_gives_labels_by_the_same_contract(facts, expression, expected, tmp_path):
    settings, pipeline = project_at(tmp_path), meters(**facts)
    (settings.include / "meters").mkdir(parents=True)
    (settings.include / "meters" / "used.sql").write_text(
        f"SELECT e.id, e.day, {expression} AS used FROM examples AS e JOIN readings AS r USING (id, day)"
    )
    for day in day_range(DAY, NIGHT):
        of_the_day = pa.array([day.isoformat()] * 2)
        publish(
            settings, "meters", "raw.inbox", day, rows_at(day, -1, place=of_the_day).set_column(1, "day", of_the_day)
        )
        publish(
            settings, "meters", "raw.readings", day, rows_at(day, -2, x=of_the_day).set_column(1, "day", of_the_day)
        )

    def labelled():
        compute_labels(pipeline, NIGHT, settings)
        lake = Lake(settings.lake / "meters")
        rows, _ = scored_rows(pipeline, [NIGHT - timedelta(days=1)], lake)
        return list(add_labels(pipeline, rows, NIGHT, lake)[0]["used"])

    if isinstance(expected, list):
        assert labelled() == expected
    else:
        with pytest.raises(DataError, match=expected) as refused:
            labelled()
        assert "9007199254740993" not in str(refused.value)
