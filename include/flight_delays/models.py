"""Two candidates that learn which flights will be late: boosted trees, and a small neural network."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
import torch
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import log_loss
from torch import nn

from airloom.steps.candidates import MetricLog, Params, TrainingData
from airloom.stores.safe_formats import load_estimator, load_weights, save_estimator, save_weights

MISSING, OTHER = 0, 1


@dataclass(frozen=True)
class Words:
    """Codes for the categorical columns: 0 is missing, 1 is rare or never seen, the rest are known words.

    Args:
        known: The words of each column, the most frequent first.
    """

    known: dict[str, list[str]]

    @classmethod
    def learn(cls, frame: pd.DataFrame, columns: tuple[str, ...], most: int) -> Self:
        """Keep the most frequent words of each column; equally frequent ones in alphabetical order."""
        return cls({column: _most_frequent(frame[column], most) for column in columns})

    def encode(self, frame: pd.DataFrame) -> np.ndarray:
        """Return the codes, one column a categorical column."""
        columns = [_codes(frame[column], known) for column, known in self.known.items()]
        return np.column_stack(columns) if columns else np.empty((len(frame), 0), dtype=np.int64)

    @property
    def sizes(self) -> list[int]:
        """How many codes each column has."""
        return [len(known) + 2 for known in self.known.values()]


def _most_frequent(column: pd.Series, most: int) -> list[str]:
    counts = column.dropna().astype(str).value_counts()
    return [str(word) for word, _ in sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:most]]


def _codes(column: pd.Series, known: list[str]) -> np.ndarray:
    codes = pd.Index(known, dtype=object).get_indexer(column.astype(object)) + OTHER + 1
    return np.where(column.isna(), MISSING, codes).astype(np.int64)


def _numbers(frame: pd.DataFrame, columns: list[str]) -> np.ndarray:
    """Return numbers as they are; one that is not finite is as good as missing."""
    numbers = frame[columns].to_numpy(dtype=np.float64, na_value=np.nan, copy=True)
    numbers[~np.isfinite(numbers)] = np.nan
    return numbers


def _write(folder: Path, config: dict[str, Any]) -> None:
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")


def _read(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "config.json").read_text(encoding="utf-8")))


@dataclass(frozen=True)
class BoostingModel:
    """Histogram gradient boosting over coded words and raw numbers; it handles missing values itself."""

    words: Words
    numeric: list[str]
    trees: HistGradientBoostingClassifier

    def predict(self, frame: pd.DataFrame) -> np.ndarray:
        """Return the probability that each flight is late."""
        return np.asarray(self.trees.predict_proba(self.inputs(frame))[:, 1])

    def inputs(self, frame: pd.DataFrame) -> np.ndarray:
        """Return what the trees read: the codes first, then the numbers."""
        return np.hstack([self.words.encode(frame), _numbers(frame, self.numeric)])

    def save(self, folder: Path) -> None:
        """Write the trees and the words."""
        save_estimator(self.trees, folder / "trees.skops")
        _write(folder, {"words": self.words.known, "numeric": self.numeric})

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        config = _read(folder)
        return cls(Words(config["words"]), config["numeric"], load_estimator(folder / "trees.skops"))


def boosting(data: TrainingData, params: Params, log: MetricLog) -> BoostingModel:
    """Fit boosted trees.

    Args:
        data: What to learn from.
        params: Parameters of scikit-learn's `HistGradientBoostingClassifier`, and `most_words`, how many words of a
            categorical column are told apart (200; scikit-learn allows 255 codes).
        log: Receives the final loss.
    """
    options: dict[str, Any] = {"early_stopping": False, "most_words": 200, **params}
    words = Words.learn(data.frame, data.categorical, int(options.pop("most_words")))
    categorical = list(range(len(data.categorical)))
    trees = HistGradientBoostingClassifier(categorical_features=categorical, random_state=data.seed, **options)
    model = BoostingModel(words, list(data.numeric), trees)
    trees.fit(model.inputs(data.frame), data.label)
    log.log({"train.loss": float(log_loss(data.label, model.predict(data.frame)))}, step=trees.n_iter_)
    return model


@dataclass(frozen=True)
class NetworkOptions:
    """Parameters of the neural network and of its training."""

    epochs: int = 3
    learning_rate: float = 0.002
    batch: int = 256
    hidden: int = 64
    dropout: float = 0.2
    weight_decay: float = 0.0001
    most_words: int = 1000


class Network(nn.Module):
    """One embedding a categorical column, next to the numbers, and two hidden layers on top."""

    def __init__(self, sizes: list[int], numbers: int, options: NetworkOptions) -> None:
        super().__init__()
        widths = [min(16, 1 + size // 4) for size in sizes]
        self.embeddings = nn.ModuleList(nn.Embedding(size, width) for size, width in zip(sizes, widths, strict=True))
        self.layers = nn.Sequential(
            nn.Linear(sum(widths) + numbers, options.hidden),
            nn.ReLU(),
            nn.Dropout(options.dropout),
            nn.Linear(options.hidden, options.hidden // 2),
            nn.ReLU(),
            nn.Linear(options.hidden // 2, 1),
        )

    def forward(self, codes: torch.Tensor, numbers: torch.Tensor) -> torch.Tensor:
        """Return one logit a row."""
        embedded = [embedding(codes[:, index]) for index, embedding in enumerate(self.embeddings)]
        return self.layers(torch.cat([*embedded, numbers], dim=1)).squeeze(1)


@dataclass(frozen=True)
class Scaling:
    """Standardised numbers; a missing one is the mean, and a flag beside it says so."""

    columns: list[str]
    mean: list[float]
    deviation: list[float]

    @classmethod
    def learn(cls, frame: pd.DataFrame, columns: tuple[str, ...]) -> Self:
        """Take mean and standard deviation of what is there; a constant column is only centred."""
        numbers = pd.DataFrame(_numbers(frame, list(columns)))
        deviation = numbers.std(ddof=0).fillna(0.0)
        deviation = deviation.where(deviation > 1e-12, 1.0)
        return cls(list(columns), numbers.mean().fillna(0.0).tolist(), deviation.tolist())

    def scale(self, frame: pd.DataFrame) -> np.ndarray:
        """Return the scaled numbers and then the flags."""
        numbers = _numbers(frame, self.columns)
        scaled = np.clip((numbers - np.array(self.mean)) / np.array(self.deviation), -8, 8)
        missing = np.isnan(numbers)
        return np.hstack([np.where(missing, 0.0, scaled), missing]).astype(np.float32)


@dataclass(frozen=True)
class NetworkModel:
    """The neural network with everything that its inputs are prepared with."""

    words: Words
    scaling: Scaling
    options: NetworkOptions
    network: Network

    def predict(self, frame: pd.DataFrame) -> np.ndarray:
        """Return the probability that each flight is late."""
        self.network.eval()
        with torch.inference_mode():
            logits = self.network(*self.inputs(frame))
        return torch.sigmoid(logits.double()).numpy()

    def inputs(self, frame: pd.DataFrame) -> tuple[torch.Tensor, torch.Tensor]:
        """Return what the network reads: codes and numbers."""
        return torch.from_numpy(self.words.encode(frame)), torch.from_numpy(self.scaling.scale(frame))

    def save(self, folder: Path) -> None:
        """Write the weights, and as JSON the rest."""
        save_weights(self.network.state_dict(), folder / "weights.pt")
        config = {"words": self.words.known, "scaling": asdict(self.scaling), "options": asdict(self.options)}
        _write(folder, config)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        config = _read(folder)
        words, scaling = Words(config["words"]), Scaling(**config["scaling"])
        options = NetworkOptions(**config["options"])
        network = Network(words.sizes, 2 * len(scaling.columns), options)
        network.load_state_dict(load_weights(folder / "weights.pt"))
        return cls(words, scaling, options, network)


def torch_mlp(data: TrainingData, params: Params, log: MetricLog) -> NetworkModel:
    """Fit a small neural network, on a GPU where there is one.

    Args:
        data: What to learn from.
        params: Values for `NetworkOptions`.
        log: Receives the mean loss of every epoch.
    """
    options = NetworkOptions(**params)  # type: ignore[arg-type]
    words = Words.learn(data.frame, data.categorical, options.most_words)
    scaling = Scaling.learn(data.frame, data.numeric)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(data.seed)
        model = NetworkModel(words, scaling, options, Network(words.sizes, 2 * len(data.numeric), options))
        _train(model, data, device, log)
    model.network.cpu()
    return model


def _train(model: NetworkModel, data: TrainingData, device: torch.device, log: MetricLog) -> None:
    network, options = model.network.to(device), model.options
    codes, numbers = (inputs.to(device) for inputs in model.inputs(data.frame))
    label = torch.from_numpy(data.label.astype(np.float32)).to(device)
    optimizer = torch.optim.AdamW(network.parameters(), lr=options.learning_rate, weight_decay=options.weight_decay)
    for epoch in range(options.epochs):
        network.train()
        losses = []
        for rows in torch.randperm(len(label)).to(device).split(options.batch):
            loss = nn.functional.binary_cross_entropy_with_logits(network(codes[rows], numbers[rows]), label[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.detach())
        log.log({"train.loss": float(torch.stack(losses).mean())}, step=epoch)
