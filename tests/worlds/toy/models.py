"""A candidate that costs nothing: the share of returns of each store."""

import json
from dataclasses import dataclass


@dataclass(frozen=True)
class Rates:
    """The share of every word of the first categorical column."""

    column: str
    known: dict[str, float]

    def predict(self, frame):
        return frame[self.column].map(self.known).fillna(0.5).to_numpy(dtype=float)

    def save(self, folder):
        (folder / "rates.json").write_text(json.dumps([self.column, self.known]))

    @classmethod
    def load(cls, folder):
        return cls(*json.loads((folder / "rates.json").read_text()))


def rates(data, params, log):
    [column, *_] = data.categorical
    return Rates(column, data.frame.assign(label=data.label).groupby(column)["label"].mean().to_dict())
