"""What a model is, whatever its framework, and the name of its class, by which it is found again."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, Self, cast

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd


class Model(Protocol):
    """What a candidate's function returns: it predicts, and it can be kept without pickle."""

    def predict(self, frame: pd.DataFrame) -> np.ndarray:
        """Return a row's prediction, for a frame that has the columns it was trained on.

        That is one probability a row for a binary label, one a declared class for several classes (shape: rows x
        classes), and a value for a regression. The frame is the model's own copy; docs/models.md says what is taken.
        """
        ...

    def save(self, folder: Path) -> None:
        """Write everything that `load` needs to an empty folder, never as a pickle."""
        ...

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote; its files have been verified."""
        ...


def class_reference(model: Model) -> str:
    """Return the module and the class of a model, as `load_class` takes them."""
    return f"{type(model).__module__}:{type(model).__qualname__}"


def load_class(reference: str, folder: Path) -> Model:
    """Load a model by its class; whatever that raises goes on."""
    module, _, name = reference.partition(":")
    return cast("Model", getattr(importlib.import_module(module), name).load(folder))
