"""Candidates that go wrong, each in its own way, and one that is simple."""

import json
from dataclasses import dataclass

import numpy as np

from airloom.steps.candidates import TrainingData


def training_data(frame, label, categorical, numeric, seed=7):
    """Return rows to learn from as they are given to a candidate: of one day, each of its own entity."""
    rows = len(frame)
    return TrainingData(
        frame=frame,
        label=label,
        categorical=categorical,
        numeric=numeric,
        seed=seed,
        day=np.full(rows, "2024-01-01", dtype="datetime64[D]"),
        groups=np.arange(rows),
        weight=np.ones(rows),
    )


@dataclass(frozen=True)
class ByRate:
    """Predicts a share of one feature; `wild` makes it wrong for far flights."""

    share: float
    wild: bool = False

    def predict(self, frame):
        scores = self.share * frame["carrier_delays__late_rate"].to_numpy()
        return np.where(self.wild & (frame["distance"] > 5000), np.nan, scores)

    def save(self, folder):
        (folder / "model.json").write_text(json.dumps([self.share, self.wild]))

    @classmethod
    def load(cls, folder):
        return cls(*json.loads((folder / "model.json").read_text()))


def by_rate(data, params, log):
    return ByRate(float(params.get("share", 1.0)))


def wild_on_far_flights(data, params, log):
    return ByRate(1.0, wild=True)


def diverging(data, params, log):
    log.log({"train.loss": 0.5}, step=0)
    log.log({"train.loss": float("nan")}, step=1)
    raise AssertionError("must have been stopped")


def not_probabilities(data, params, log):
    return ByRate(5.0)


@dataclass(frozen=True)
class ByDistance:
    """Predicts a multiple of the distance, or three classes by it."""

    share: float
    classes: bool = False

    def predict(self, frame):
        distance = frame["distance"].to_numpy(dtype=float)
        if not self.classes:
            return self.share * distance
        near = np.clip(1 - self.share * distance / 4000, 0.05, 0.9)
        return np.column_stack([near, 0.05 + 0 * near, 0.95 - near])

    def save(self, folder):
        (folder / "model.json").write_text(json.dumps([self.share, self.classes]))

    @classmethod
    def load(cls, folder):
        return cls(*json.loads((folder / "model.json").read_text()))


def by_distance(data, params, log):
    return ByDistance(float(params["share"]))


def classes_by_distance(data, params, log):
    return ByDistance(float(params["share"]), classes=True)


class Untold:
    """What a candidate returns that has no parameters: nothing of it needs to be kept."""

    def save(self, folder):
        pass

    @classmethod
    def load(cls, folder):
        return cls()


class Carriers(Untold):
    """Predicts the share of late flights of the carrier; a fifth where it is not known."""

    def predict(self, frame):
        return frame["carrier_delays__carrier_late_rate_28d"].astype(float).fillna(0.2).to_numpy()


@dataclass(frozen=True)
class SharesOfTheSeen(Untold):
    """Predicts the share of each class that it has seen, with columns for these alone, as scikit-learn does."""

    shares: tuple[float, ...]

    def predict(self, frame):
        return np.tile(self.shares, (len(frame), 1))

    def save(self, folder):
        (folder / "model.json").write_text(json.dumps(self.shares))

    @classmethod
    def load(cls, folder):
        return cls(tuple(json.loads((folder / "model.json").read_text())))


def shares_of_the_seen(data, params, log):
    _, counts = np.unique(data.label, return_counts=True)
    return SharesOfTheSeen(tuple(float(share) for share in counts / counts.sum()))
