"""torch's modules, with what they read of a row; of skorch's nets the module that they have trained."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from airloom.flavours.columns import estimator_columns
from airloom.flavours.estimator_files import load_estimator, save_estimator
from airloom.flavours.flavour import Target, unusable
from airloom.flavours.network_files import load_module, save_module
from airloom.flavours.probabilities import as_declared

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    import torch
    from torch import nn

_MODULE, _COLUMNS, _TRANSFORMER = "module.pt", "inputs.json", "inputs.skops"
#: So many rows are predicted at once.
_ROWS = 2**14


@dataclass(frozen=True)
class Network:
    """A torch module over one tensor (rows x inputs) of the precision of its parameters.

    Args:
        module: Returns one logit a row of a binary label, one a class of several classes (rows x classes), and a value
            of a regression.
        inputs: The columns that it reads, in their order; or a fitted transformer of scikit-learn that makes its inputs
            of the frame.
        probabilities: The module returns probabilities instead of logits.
        target: What it predicts; Airloom fills it in.
    """

    module: nn.Module
    inputs: Sequence[str] | Any
    probabilities: bool = False
    target: Target | None = None

    @classmethod
    def takes(cls, returned: Any) -> bool:
        """Tell whether it is a module with its inputs."""
        return isinstance(returned, Network)

    @classmethod
    def of(cls, returned: Any, target: Target) -> Self:
        """Fill in what it predicts."""
        return replace(returned, target=target)  # type: ignore[no-any-return]

    def tensor(self, frame: pd.DataFrame) -> torch.Tensor:
        """Return what the module reads of rows, to train it on: rows x inputs."""
        import numpy as np
        import torch

        if self._columns is not None:
            values = frame[self._columns].to_numpy(dtype=float, na_value=np.nan)
        else:
            transformer: Any = self.inputs
            found = transformer.transform(estimator_columns(transformer, frame))
            values = np.asarray(found.toarray() if hasattr(found, "toarray") else found, dtype=float)
        parameters = (each.dtype for each in self.module.parameters() if each.is_floating_point())
        return torch.tensor(values, dtype=next(parameters, torch.float32))

    @property
    def _columns(self) -> list[str] | None:
        return None if hasattr(self.inputs, "transform") else list(self.inputs)

    def predict(self, frame: pd.DataFrame) -> np.ndarray:
        """Return a probability, a probability for each declared class, or a value, for every row."""
        import torch

        self.module.eval()
        with torch.inference_mode():
            rows = torch.split(self.tensor(frame), _ROWS)
            found = torch.cat([self.module(each).double() for each in rows])
        return self._answer(found.squeeze(1) if found.ndim == 2 and found.shape[1] == 1 else found)

    def _answer(self, found: torch.Tensor) -> np.ndarray:
        target = self.target or Target("regression")
        if target.kind != "regression" and not self.probabilities:
            found = found.softmax(dim=1) if found.ndim == 2 else found.sigmoid()
        values = found.numpy()
        if target.kind == "regression" or values.ndim != 2:
            return values
        return as_declared(values, range(values.shape[1]), target)

    def save(self, folder: Path) -> None:
        """Write the module, what it reads, and what it predicts."""
        save_module(self.module, folder / _MODULE)
        if self._columns is None:
            save_estimator(self.inputs, folder / _TRANSFORMER)
        facts = {"columns": self._columns, "probabilities": self.probabilities}
        (folder / _COLUMNS).write_text(json.dumps(facts), encoding="utf-8")
        (self.target or Target("regression")).save(folder)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        facts = json.loads((folder / _COLUMNS).read_text(encoding="utf-8"))
        inputs = facts["columns"]
        if inputs is None:
            inputs = load_estimator(folder / _TRANSFORMER)
        return cls(load_module(folder / _MODULE), inputs, facts["probabilities"], Target.load(folder))


class SkorchNetwork(Network):
    """The trained module of a net of skorch, alone or as the last step of a Pipeline."""

    @classmethod
    def takes(cls, returned: Any) -> bool:
        """Tell whether it is a net of skorch, or a Pipeline that ends in one."""
        return "skorch" in sys.modules and isinstance(_last(returned), sys.modules["skorch"].NeuralNet)

    @classmethod
    def of(cls, returned: Any, target: Target) -> Self:
        """Take the module out of its net; what a Pipeline does before it are the inputs."""
        net = _last(returned)
        if not net.initialized_:
            raise unusable(net, "it is not fitted", "call `fit` before you return it")
        if net is returned:
            raise unusable(net, "a net without a Pipeline", _PIPELINE)
        # What skorch applies to what the module returns: nothing where that is a probability already.
        gives_logits = net.criterion.__name__ in _ON_LOGITS
        return cls(net.module_.cpu(), returned[:-1], not gives_logits, target)


#: Losses before which skorch applies a sigmoid or a softmax itself.
_ON_LOGITS = {"BCEWithLogitsLoss", "CrossEntropyLoss"}
_PIPELINE = "put it behind what makes numbers of the columns: `make_pipeline(ColumnTransformer(...), net)`"


def _last(returned: Any) -> Any:
    steps = getattr(returned, "steps", None)
    return steps[-1][1] if isinstance(steps, list) and steps else returned
