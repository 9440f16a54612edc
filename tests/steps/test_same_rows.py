"""Two versions on the same rows: which difference is more than chance would show."""

import numpy as np
import pandas as pd
import pytest

from airloom.core.partitions import day_range
from airloom.steps.columns import ModelColumns
from airloom.steps.examples import DAY
from airloom.steps.same_rows import SameRows
from airloom.steps.training_sets import Rows
from tests.worlds.nights import NIGHT, pipeline_with

DAYS, EACH = 14, 100


class Column:
    """Predicts what a column says."""

    def __init__(self, name):
        self.name = name

    def predict(self, inputs):
        return inputs[self.name].to_numpy()


@pytest.fixture(scope="module")
def rows():
    """Rows of 14 days, a column that tells rows apart, and two that are the same but for luck with the days."""
    random = np.random.default_rng(11)
    day, own = np.repeat(np.arange(DAYS), EACH), random.normal(0, 1, DAYS * EACH)
    chance = 1 / (1 + np.exp(0.8 - own - random.normal(0, 0.7, DAYS)[day]))
    lucky = {name: own + random.normal(0, 1.5, DAYS)[day] for name in ("first", "second")}
    columns = {name: 1 / (1 + np.exp(-each)) for name, each in lucky.items()}
    frame = pd.DataFrame(
        {
            "flight_id": np.arange(len(day)).astype(str),
            DAY: np.repeat(day_range(NIGHT, NIGHT.replace(day=NIGHT.day + DAYS - 1)), EACH),
            "late": (random.random(len(day)) < chance).astype(float),
            "nothing": 0.3,
            **columns,
        }
    )
    return Rows(frame, ModelColumns(categorical=(), numeric=("nothing", *columns)), "digest")


def notes(rows, old, new, cluster):
    pipeline = pipeline_with()
    pipeline = pipeline.model_copy(update={"gate": pipeline.gate.model_copy(update={"cluster": cluster})})
    return {change.name: change.note for change in SameRows(pipeline, Column(old), Column(new), rows).metrics()}


def test_what_chance_alone_would_show_is_said_so_by_the_blocks_of_the_gate(rows):
    assert notes(rows, "first", "second", None)["roc_auc"].endswith(", may be chance")
    assert notes(rows, "first", "second", ("row",))["roc_auc"] in ("better", "worse")


def test_what_is_more_than_chance_is_better_one_way_and_worse_the_other(rows):
    assert notes(rows, "nothing", "first", None)["roc_auc"] == "better"
    assert notes(rows, "first", "nothing", None)["roc_auc"] == "worse"
    assert set(notes(rows, "first", "first", None).values()) == {"same"}
