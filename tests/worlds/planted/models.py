"""Candidates that fail at every border, and one that only fails where a test says so."""

import json
from dataclasses import dataclass

import numpy as np

from include.planted import fault


@dataclass(frozen=True)
class Rates:
    """The share of fraud of every account."""

    known: dict[str, float]
    fails: str = ""

    def predict(self, frame):
        fails = self.fails or fault()
        if fails == "predict raises":
            raise LookupError(f"no rate for {frame.iloc[0].to_dict()}")
        if fails == "predict repeats":
            return frame["amount"].to_numpy(dtype=float)
        if fails == "predict names":
            return frame["account"].to_numpy()
        return np.array([self.known[each] for each in frame["account"]])

    def save(self, folder):
        (folder / "rates.json").write_text(json.dumps(self.known))

    @classmethod
    def load(cls, folder):
        return cls(json.loads((folder / "rates.json").read_text()))


def rates(data, params, log):
    return Rates(data.frame.assign(label=data.label).groupby("account")["label"].mean().to_dict())


def fit_raises(data, params, log):
    raise ArithmeticError(f"singular at {data.frame.iloc[0].to_dict()}")


def predict_raises(data, params, log):
    return Rates({}, "predict raises")


def predict_repeats(data, params, log):
    return Rates({}, "predict repeats")


def predict_names(data, params, log):
    return Rates({}, "predict names")
