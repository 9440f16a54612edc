import numpy as np
import pandas as pd
import pytest
from synthetic_nights import NIGHT, pipeline_with, settings_at

from airloom.core.errors import GateError, NotDue
from airloom.core.records import Chosen
from airloom.steps import columns, score
from airloom.steps.prove import prove
from airloom.stores.models import ModelRegistry

CHOSEN = Chosen(
    pipeline="late", partition=NIGHT, headline="", action="rollback", version=3, epoch=1, actor="ann", reason="why"
)


@pytest.fixture
def rows(monkeypatch):
    rows = pd.DataFrame({"distance": np.arange(300.0)})
    monkeypatch.setattr(columns, "input_columns", lambda pipeline, settings: ["distance"])
    monkeypatch.setattr(score, "rows_to_score", lambda pipeline, day, settings: rows)
    return rows


def proven(monkeypatch, tmp_path, predict):
    model = type("Model", (), {"predict": staticmethod(predict)})()
    monkeypatch.setattr(ModelRegistry, "load", lambda registry, version: model)
    return prove(pipeline_with(), CHOSEN, settings_at(tmp_path))


def test_a_version_that_scores_is_proven(monkeypatch, tmp_path, rows):
    found = proven(monkeypatch, tmp_path, lambda frame: frame["distance"].to_numpy() / 300)
    assert (found.rows, found.headline) == (200, "version 3 is what was trained and scored 200 rows of 2024-01-10")


def test_a_version_that_cannot_score_is_refused(monkeypatch, tmp_path, rows):
    def predict(frame):
        raise KeyError("a column of last year")

    with pytest.raises(GateError, match="cannot score the rows") as refused:
        proven(monkeypatch, tmp_path, predict)
    assert refused.value.found == "KeyError: 'a column of last year'"


def test_scores_that_are_not_finite_are_refused(monkeypatch, tmp_path, rows):
    with pytest.raises(GateError, match="not finite"):
        proven(monkeypatch, tmp_path, lambda frame: np.full(len(frame), np.nan))


def test_a_day_without_rows_only_proves_that_the_version_loads(monkeypatch, tmp_path, rows):
    def none(pipeline, day, settings):
        raise NotDue("nothing")

    monkeypatch.setattr(score, "rows_to_score", none)
    assert proven(monkeypatch, tmp_path, lambda frame: np.zeros(len(frame))).rows == 0
