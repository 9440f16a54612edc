"""The baselines by themselves: what the constant elicits, and a linear model of words, text and numbers."""

import numpy as np
import pandas as pd
import pytest

from airloom.steps.baselines import Constant, Linear, constant, linear
from airloom.steps.candidates import TrainingData

SPAM = ("win a free prize now", "free money if you answer", "claim the prize you have won")
HAM = ("the meeting is at ten", "see you at lunch then", "the report is on its way")


def data(frame, label, kind="binary", classes=(), weight=None):
    """Rows to learn from; what is not a number is a column of words."""
    words = tuple(name for name in frame if not pd.api.types.is_numeric_dtype(frame[name]))
    return TrainingData(
        frame=frame,
        label=np.asarray(label, dtype=float),
        categorical=words,
        numeric=tuple(name for name in frame if name not in words),
        seed=7,
        day=np.repeat(np.datetime64("2024-01-01"), len(frame)),
        groups=np.arange(len(frame)),
        weight=np.ones(len(frame)) if weight is None else np.asarray(weight, dtype=float),
        kind=kind,
        classes=classes,
    )


ROWS = pd.DataFrame({"size": [1.0, 2.0, 3.0, 4.0]})


def test_the_constant_of_two_classes_is_their_share_and_never_certain():
    model = constant(data(ROWS, [0, 0, 0, 1]), {}, None)
    assert model.predict(ROWS).tolist() == [1.5 / 5] * 4
    never = constant(data(ROWS, [0, 0, 0, 0]), {}, None).predict(ROWS)
    assert 0 < never[0] < 0.2


def test_the_constant_of_many_classes_is_one_share_a_declared_class():
    model = constant(data(ROWS, [0, 0, 2, 2], "multiclass", ("a", "b", "c")), {}, None)
    assert model.predict(ROWS[:1]).tolist() == [[2.5 / 5.5, 0.5 / 5.5, 2.5 / 5.5]]


@pytest.mark.parametrize(("params", "found"), [({}, 25.75), ({"value": "mean"}, 25.75), ({"value": "median"}, 1.0)])
def test_the_constant_of_a_value_is_what_the_metric_elicits(params, found):
    assert constant(data(ROWS, [1, 1, 1, 100], "regression"), params, None).predict(ROWS[:1]) == [found]


def test_rows_count_as_much_as_they_weigh():
    weight = [0, 0, 0, 3]
    assert constant(data(ROWS, [1, 1, 1, 100], "regression", weight=weight), {}, None).values == (100.0,)
    assert constant(data(ROWS, [1, 1, 1, 9], "regression", weight=weight), {"value": "median"}, None).values == (9.0,)
    assert constant(data(ROWS, [0, 0, 0, 1], weight=weight), {}, None).values == (3.5 / 4,)


def messages(count=60):
    words = [(SPAM if number % 2 else HAM)[number % 3] + f" {number}" for number in range(count)]
    return pd.DataFrame({"text": words, "country": ["NL", "BE"] * (count // 2)}), np.arange(count) % 2


def test_text_is_hashed_so_that_words_count_that_come_in_other_sentences():
    frame, label = messages()
    model = linear(data(frame[["text"]], label), {"c": 10}, None)
    assert model.text == ("text",)
    unseen = pd.DataFrame({"text": ["a free prize", "lunch at the meeting", None, ""]})
    spam, ham, *nothing = model.predict(unseen)
    assert spam > 0.6 > 0.4 > ham
    assert np.isfinite(nothing).all()


def test_words_are_told_apart_whole_and_unseen_ones_say_nothing():
    frame, label = messages()
    model = linear(data(frame[["country"]], label), {"c": 10}, None)
    assert (model.text, model.words) == ((), ("country",))
    dutch, belgian, unseen, missing = model.predict(pd.DataFrame({"country": ["NL", "BE", "FR", None]}))
    assert belgian > 0.9 > 0.1 > dutch
    assert 0.2 < unseen < 0.8
    assert 0.2 < missing < 0.8


def test_missing_and_infinite_numbers_are_missing():
    frame = pd.DataFrame({"size": [1.0, np.nan, np.inf, -np.inf, 5.0, None], "none": [None] * 6}).astype(float)
    model = linear(data(frame, [0, 0, 0, 1, 1, 1]), {}, None)
    assert np.isfinite(model.predict(frame)).all()


def test_a_class_that_was_never_seen_has_no_share():
    found = linear(data(ROWS, [0, 0, 2, 2], "multiclass", ("a", "b", "c")), {}, None).predict(ROWS)
    assert found.shape == (4, 3)
    assert found[:, 1].tolist() == [0.0] * 4
    assert found.sum(axis=1) == pytest.approx(1)


@pytest.mark.parametrize("kind", ["binary", "regression"])
def test_what_was_saved_predicts_the_same(tmp_path, kind):
    frame, label = messages()
    frame["size"] = np.linspace(0, 1, len(frame))
    rows = data(frame, label, kind)
    for name, fit, reads in (("constant", constant, Constant), ("linear", linear, Linear)):
        (folder := tmp_path / name).mkdir()
        model = fit(rows, {}, None)
        model.save(folder)
        assert reads.load(folder).predict(frame).tolist() == model.predict(frame).tolist()
