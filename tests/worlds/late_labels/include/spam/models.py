"""The candidate: a network of torch with one layer, over the numbers alone; what is missing counts as nothing."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import pandas as pd
import torch

from airloom.flavours.network_files import load_weights, save_weights
from airloom.steps.candidates import MetricLog, Params, TrainingData


@dataclass(frozen=True)
class Network:
    """A layer and the columns that it reads."""

    numeric: list[str]
    layer: torch.nn.Linear

    def predict(self, frame: pd.DataFrame) -> np.ndarray:
        """Return the probability that each message is spam."""
        with torch.no_grad():
            return np.asarray(torch.sigmoid(self.layer(_numbers(frame, self.numeric))).squeeze(1), dtype=float)

    def save(self, folder: Path) -> None:
        """Write the weights and the names of the columns."""
        save_weights(self.layer.state_dict(), folder / "weights.pt")
        (folder / "columns.json").write_text(json.dumps(self.numeric))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        numeric = json.loads((folder / "columns.json").read_text())
        layer = torch.nn.Linear(len(numeric), 1)
        layer.load_state_dict(load_weights(folder / "weights.pt"))
        return cls(numeric, layer)


def network(data: TrainingData, params: Params, log: MetricLog) -> Network:
    """Fit the layer by gradient descent."""
    torch.manual_seed(data.seed)
    numeric = list(data.numeric)
    layer, inputs = torch.nn.Linear(len(numeric), 1), _numbers(data.frame, numeric)
    label = torch.tensor(data.label, dtype=torch.float32).unsqueeze(1)
    optimizer = torch.optim.Adam(layer.parameters(), lr=0.05)
    for epoch in range(int(params["epochs"])):
        optimizer.zero_grad()
        loss = torch.nn.functional.binary_cross_entropy_with_logits(layer(inputs), label)
        loss.backward()
        optimizer.step()
        log.log({"train.loss": loss.item()}, step=epoch)
    return Network(numeric, layer)


def _numbers(frame: pd.DataFrame, columns: list[str]) -> torch.Tensor:
    return torch.tensor(frame[columns].to_numpy(dtype=np.float32, na_value=0.0))
