"""Boosters of lightgbm's own interface, kept in its own format."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from airloom.flavours.columns import fitted_columns
from airloom.flavours.flavour import Target

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd


@dataclass(frozen=True)
class LightGBMBooster:
    """What `lightgbm.train` returns, with an objective that gives probabilities or values.

    Args:
        booster: The trees.
    """

    FILE: ClassVar = "model.txt"

    booster: Any

    @classmethod
    def takes(cls, returned: Any) -> bool:
        """Tell whether it is a Booster of lightgbm."""
        return "lightgbm" in sys.modules and isinstance(returned, sys.modules["lightgbm"].Booster)

    @classmethod
    def of(cls, returned: Any, target: Target) -> Self:
        """Wrap a Booster."""
        return cls(returned)

    def predict(self, frame: pd.DataFrame) -> np.ndarray:
        """Return what the objective gives for every row."""
        return self.booster.predict(self._rows(frame))  # type: ignore[no-any-return]

    def _rows(self, frame: pd.DataFrame) -> Any:
        names = self.booster.feature_name()
        unnamed = names == [f"Column_{place}" for place in range(len(names))]
        return fitted_columns(self.booster, None if unnamed else names, len(names), frame)

    def save(self, folder: Path) -> None:
        """Write the trees as text."""
        self.booster.save_model(folder / self.FILE)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        import lightgbm

        return cls(lightgbm.Booster(model_file=folder / cls.FILE))
