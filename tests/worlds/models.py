"""Two candidates that learn within a moment: boosted trees of scikit-learn, and a network of torch."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

import numpy as np
import pandas as pd
import torch
from sklearn.ensemble import HistGradientBoostingClassifier
from torch import nn

from airloom.flavours.estimator_files import load_estimator, save_estimator
from airloom.flavours.network_files import load_weights, save_weights


@dataclass(frozen=True)
class Inputs:
    """What both models read of a row: codes of words, 0 for one that is missing or was never seen, and numbers."""

    words: dict[str, list[str]]
    numeric: list[str]

    @classmethod
    def learn(cls, data) -> Self:
        words = {column: sorted(data.frame[column].dropna().unique()) for column in data.categorical}
        return cls(words, list(data.numeric))

    def of(self, frame: pd.DataFrame) -> np.ndarray:
        codes = [pd.Index(known, dtype=object).get_indexer(frame[column]) + 1 for column, known in self.words.items()]
        return np.column_stack([*codes, frame[self.numeric].to_numpy(dtype=float, na_value=np.nan)])

    def save(self, folder: Path) -> None:
        (folder / "config.json").write_text(json.dumps(asdict(self)))

    @classmethod
    def load(cls, folder: Path) -> Self:
        return cls(**json.loads((folder / "config.json").read_text()))


@dataclass(frozen=True)
class BoostingModel:
    """Histogram gradient boosting."""

    inputs: Inputs
    trees: HistGradientBoostingClassifier

    def predict(self, frame: pd.DataFrame) -> np.ndarray:
        return self.trees.predict_proba(self.inputs.of(frame))[:, 1]

    def save(self, folder: Path) -> None:
        self.inputs.save(folder)
        save_estimator(self.trees, folder / "trees.skops")

    @classmethod
    def load(cls, folder: Path) -> Self:
        return cls(Inputs.load(folder), load_estimator(folder / "trees.skops"))


def boosting(data, params, log) -> BoostingModel:
    """Fit trees with parameters of scikit-learn's classifier."""
    inputs = Inputs.learn(data)
    trees = HistGradientBoostingClassifier(
        categorical_features=list(range(len(inputs.words))), random_state=data.seed, early_stopping=False, **params
    )
    trees.fit(inputs.of(data.frame), data.label)
    return BoostingModel(inputs, trees)


@dataclass(frozen=True)
class NetworkModel:
    """A network with one hidden layer over standardised inputs."""

    inputs: Inputs
    network: nn.Module

    def logits(self, frame: pd.DataFrame) -> torch.Tensor:
        inputs = np.nan_to_num(self.inputs.of(frame)).astype(np.float32)
        return self.network(torch.from_numpy(inputs)).squeeze(1)

    def predict(self, frame: pd.DataFrame) -> np.ndarray:
        self.network.eval()
        with torch.inference_mode():
            return torch.sigmoid(self.logits(frame).double()).numpy()

    def save(self, folder: Path) -> None:
        self.inputs.save(folder)
        save_weights(self.network.state_dict(), folder / "weights.pt")

    @classmethod
    def load(cls, folder: Path) -> Self:
        model = cls.new(Inputs.load(folder))
        model.network.load_state_dict(load_weights(folder / "weights.pt"))
        return model

    @classmethod
    def new(cls, inputs: Inputs) -> Self:
        width = len(inputs.words) + len(inputs.numeric)
        return cls(inputs, nn.Sequential(nn.BatchNorm1d(width), nn.Linear(width, 8), nn.ReLU(), nn.Linear(8, 1)))


def network(data, params, log) -> NetworkModel:
    """Fit a network in `epochs` steps over all rows, from the seed alone."""
    label = torch.from_numpy(data.label.astype(np.float32))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(data.seed)
        model = NetworkModel.new(Inputs.learn(data))
    optimizer = torch.optim.Adam(model.network.parameters(), lr=float(params["learning_rate"]))
    for epoch in range(int(params["epochs"])):
        loss = nn.functional.binary_cross_entropy_with_logits(model.logits(data.frame), label)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        log.log({"train.loss": loss.item()}, step=epoch)
    return model
