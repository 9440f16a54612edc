"""Estimators that nothing but pickle can keep, of pipelines that allow it."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from airloom.core.errors import DataError
from airloom.flavours.estimator import FILE, Estimator
from airloom.flavours.flavour import Target

_PICKLE = "estimator.joblib"


class PickledEstimator(Estimator):
    """An estimator that is kept as a pickle where skops' format cannot hold it."""

    def save(self, folder: Path) -> None:
        """Write the estimator, and what it predicts."""
        import joblib

        try:
            super().save(folder)
        except DataError:
            (folder / FILE).unlink(missing_ok=True)
            joblib.dump(self.estimator, folder / _PICKLE)
            self.target.save(folder)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote; a pickle runs what it holds, so its sum must have been verified."""
        import joblib

        if (folder / FILE).is_file():
            return super().load(folder)
        return cls(joblib.load(folder / _PICKLE), Target.load(folder))
