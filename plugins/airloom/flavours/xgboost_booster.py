"""Boosters of xgboost's own interface, kept in its own format."""

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
class XGBoostBooster:
    """What `xgboost.train` returns, with an objective that gives probabilities or values.

    Args:
        booster: The trees.
    """

    FILE: ClassVar = "model.ubj"

    booster: Any

    @classmethod
    def takes(cls, returned: Any) -> bool:
        """Tell whether it is a Booster of xgboost."""
        return "xgboost" in sys.modules and isinstance(returned, sys.modules["xgboost"].Booster)

    @classmethod
    def of(cls, returned: Any, target: Target) -> Self:
        """Wrap a Booster."""
        return cls(returned)

    def predict(self, frame: pd.DataFrame) -> np.ndarray:
        """Return what the objective gives for every row."""
        import xgboost

        rows = fitted_columns(self.booster, self.booster.feature_names, self.booster.num_features(), frame)
        return self.booster.predict(xgboost.DMatrix(rows, enable_categorical=True))  # type: ignore[no-any-return]

    def save(self, folder: Path) -> None:
        """Write the trees as UBJSON."""
        self.booster.save_model(folder / self.FILE)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        import xgboost

        booster = xgboost.Booster()
        booster.load_model(folder / cls.FILE)
        return cls(booster)
