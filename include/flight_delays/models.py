"""Two candidates that learn which flights will be late: boosted trees, and a small neural network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.metrics import log_loss
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, OrdinalEncoder, StandardScaler
from torch import nn

from airloom.flavours.network import Network
from airloom.steps.candidates import MetricLog, Params, TrainingData

#: Codes of words that are missing, and that are none of the known ones; the known ones begin at 0.
MISSING, UNKNOWN = -2, -1


def finite(numbers: pd.DataFrame) -> np.ndarray:
    """Return numbers as they are; one that is not finite is as good as missing."""
    values = numbers.to_numpy(dtype=np.float64, na_value=np.nan, copy=True)
    values[~np.isfinite(values)] = np.nan
    return values


def clipped(numbers: np.ndarray) -> np.ndarray:
    """Return scaled numbers without extreme ones."""
    return np.clip(numbers, -8, 8)


def boosting(data: TrainingData, params: Params, log: MetricLog) -> Pipeline:
    """Fit boosted trees over coded words and raw numbers; they handle missing values themselves.

    Args:
        data: What to learn from.
        params: Parameters of scikit-learn's `HistGradientBoostingClassifier`, and `most_words`, how many words of a
            categorical column are told apart (200; scikit-learn allows 255 codes).
        log: Receives the final loss.
    """
    options: dict[str, Any] = {"early_stopping": False, "most_words": 200, **params}
    most = int(options.pop("most_words"))
    words = OrdinalEncoder(max_categories=most, handle_unknown="use_encoded_value", unknown_value=np.nan)
    inputs = [("words", words, list(data.categorical)), ("numbers", FunctionTransformer(finite), list(data.numeric))]
    categorical = list(range(len(data.categorical)))
    trees = HistGradientBoostingClassifier(categorical_features=categorical, random_state=data.seed, **options)
    model = make_pipeline(ColumnTransformer(inputs), trees).fit(data.frame, data.label)
    log.log({"train.loss": float(log_loss(data.label, model.predict_proba(data.frame)[:, 1]))}, step=trees.n_iter_)
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


class EmbeddedWords(nn.Module):
    """One embedding a categorical column, next to the numbers, and two hidden layers on top.

    Args:
        sizes: How many codes each categorical column has; their columns come first.
        numbers: How many other columns there are.
        options: The width of the layers, and the dropout.
    """

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

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """Return one logit a row."""
        codes, numbers = rows.tensor_split([len(self.embeddings)], dim=1)
        codes = codes.long() - MISSING
        embedded = [embedding(codes[:, index]) for index, embedding in enumerate(self.embeddings)]
        return self.layers(torch.cat([*embedded, numbers], dim=1)).squeeze(1)


def torch_mlp(data: TrainingData, params: Params, log: MetricLog) -> Network:
    """Fit a small neural network, on a GPU where there is one.

    Args:
        data: What to learn from.
        params: Values for `NetworkOptions`.
        log: Receives the mean loss of every epoch.
    """
    options = NetworkOptions(**params)  # type: ignore[arg-type]
    inputs = _network_inputs(data, options.most_words)
    rows = torch.from_numpy(inputs.fit_transform(data.frame).astype(np.float32))
    words = len(data.categorical)
    sizes = [int(rows[:, column].max()) - MISSING + 1 for column in range(words)]
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(data.seed)
        module = EmbeddedWords(sizes, rows.shape[1] - words, options).to(device)
        _train(module, rows.to(device), torch.from_numpy(data.label.astype(np.float32)).to(device), options, log)
    return Network(module.cpu(), inputs)


def _network_inputs(data: TrainingData, most_words: int) -> ColumnTransformer:
    """Return what makes the network's inputs: codes, then standardised numbers, and flags for missing ones."""
    words = OrdinalEncoder(
        max_categories=most_words,
        handle_unknown="use_encoded_value",
        unknown_value=UNKNOWN,
        encoded_missing_value=MISSING,
    )
    numbers = make_pipeline(
        FunctionTransformer(finite),
        StandardScaler(),
        FunctionTransformer(clipped),
        SimpleImputer(strategy="constant", fill_value=0.0, add_indicator=True),
    )
    return ColumnTransformer([("words", words, list(data.categorical)), ("numbers", numbers, list(data.numeric))])


def _train(
    module: EmbeddedWords, rows: torch.Tensor, label: torch.Tensor, options: NetworkOptions, log: MetricLog
) -> None:
    optimizer = torch.optim.AdamW(module.parameters(), lr=options.learning_rate, weight_decay=options.weight_decay)
    for epoch in range(options.epochs):
        module.train()
        losses = []
        for batch in torch.randperm(len(label)).to(rows.device).split(options.batch):
            loss = nn.functional.binary_cross_entropy_with_logits(module(rows[batch]), label[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.detach())
        log.log({"train.loss": float(torch.stack(losses).mean())}, step=epoch)
