"""A model whose training window lacked declared classes: the absent ones have the probability 0."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from airloom.contracts import Model, class_reference, load_class
from airloom.stores.model_outputs import ask

_MODEL, _FACTS = "model", "classes.json"


@dataclass(frozen=True)
class WithAbsentClasses:
    """Gives every declared class a column, in the declared order.

    Args:
        model: Returns one probability for each class that it has learned from, in the declared order, as scikit-learn's
            classifiers do; or one for each declared class already, which is left as it is.
        learned: The classes that it has learned from.
        classes: The declared classes.
    """

    model: Model
    learned: tuple[str, ...]
    classes: tuple[str, ...]

    def predict(self, frame: Any) -> Any:
        """Return what the model predicts, with zeros for the classes that it has not learned from."""
        import numpy as np
        import pandas as pd

        returned = ask(self.model, frame)
        if isinstance(returned, pd.DataFrame):
            names = [str(name) for name in returned.columns]
            if names in (list(self.learned), [str(place) for place in range(len(self.learned))]):
                returned = returned.set_axis(self.learned, axis=1).reindex(columns=self.classes, fill_value=0)
            return returned
        if np.ma.isMaskedArray(returned):
            return returned
        values = np.asarray(returned)
        if values.ndim != 2 or values.shape[1] != len(self.learned):
            return returned
        filled = np.zeros((len(values), len(self.classes)), dtype=values.dtype)
        filled[:, [self.classes.index(name) for name in self.learned]] = values
        return filled

    def save(self, folder: Path) -> None:
        """Write the model into a folder of its own, and the classes as JSON."""
        (folder / _MODEL).mkdir()
        self.model.save(folder / _MODEL)
        facts = {"class": class_reference(self.model), "learned": self.learned, "classes": self.classes}
        (folder / _FACTS).write_text(json.dumps(facts), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        facts = json.loads((folder / _FACTS).read_text(encoding="utf-8"))
        return cls(load_class(facts["class"], folder / _MODEL), tuple(facts["learned"]), tuple(facts["classes"]))
