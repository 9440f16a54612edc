"""What a candidate may return, and what it is told otherwise."""

import json
from dataclasses import dataclass

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from airloom.core.errors import DataError
from airloom.flavours import registry
from airloom.flavours.flavour import Target
from airloom.flavours.registry import as_model, register

BINARY = Target("binary")


@pytest.mark.parametrize(
    ("returned", "found", "do"),
    [
        (None, "a NoneType", "end the function with `return model`"),
        (LogisticRegression, "the class LogisticRegression", "return the fitted object, not its class"),
        ((LogisticRegression(), 0.5), "a tuple", "return the model alone"),
        (lambda frame: frame, "a function", "wrap it in a class with `predict`, `save` and `load`"),
        ("model.pkl", "a str", "wrap it in a class with `predict`, `save` and `load`"),
    ],
)
def test_what_is_no_model_is_named(returned, found, do):
    with pytest.raises(DataError) as error:
        as_model(returned, BINARY)
    assert error.value.found == found
    assert do in error.value.do


@dataclass(frozen=True)
class Threshold:
    """A model of some library that is no estimator."""

    column: str
    above: float


@dataclass(frozen=True)
class ThresholdFlavour:
    """Keeps a threshold as JSON."""

    threshold: Threshold

    @classmethod
    def takes(cls, returned):
        return isinstance(returned, Threshold)

    @classmethod
    def of(cls, returned, target):
        assert target == BINARY
        return cls(returned)

    def predict(self, frame):
        return np.where(frame[self.threshold.column] > self.threshold.above, 0.9, 0.1)

    def save(self, folder):
        (folder / "threshold.json").write_text(json.dumps([self.threshold.column, self.threshold.above]))

    @classmethod
    def load(cls, folder):
        return cls(Threshold(*json.loads((folder / "threshold.json").read_text())))


def test_a_pipeline_may_bring_a_flavour_of_its_own(frame, kept, monkeypatch):
    monkeypatch.setattr(registry, "_FLAVOURS", list(registry._FLAVOURS))
    assert register(ThresholdFlavour) is ThresholdFlavour
    predictions = kept(Threshold("b", 0.5), BINARY).predict(frame)
    np.testing.assert_array_equal(predictions > 0.5, frame["b"] > 0.5)


class SavesItself(LogisticRegression):
    """An estimator that saves itself: nobody else does it for it."""

    def save(self, folder):
        (folder / "coefficients.json").write_text(json.dumps([self.coef_.tolist(), self.intercept_.tolist()]))

    @classmethod
    def load(cls, folder):
        model = cls()
        model.coef_, model.intercept_ = map(np.array, json.loads((folder / "coefficients.json").read_text()))
        model.classes_ = np.array([0.0, 1.0])
        return model


def test_a_model_that_saves_itself_is_left_to_it(frame, label):
    model = SavesItself().fit(frame[["b"]], label)
    assert as_model(model, BINARY) is model
