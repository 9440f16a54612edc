"""scikit-learn's estimators and pipelines, and what keeps to their conventions: xgboost, lightgbm, catboost."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from airloom.flavours.columns import estimator_columns
from airloom.flavours.estimator_files import load_estimator, save_estimator
from airloom.flavours.flavour import Target, unusable
from airloom.flavours.probabilities import as_declared

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

FILE = "estimator.skops"
#: What a model has that saves itself.
OWN = ("save", "load")


@dataclass(frozen=True)
class Estimator:
    """A fitted estimator, kept in skops' format.

    Args:
        estimator: It has `predict`, and of a label with classes `predict_proba`.
        target: What it predicts.
    """

    estimator: Any
    target: Target

    @classmethod
    def takes(cls, returned: Any) -> bool:
        """Tell whether it has the methods of an estimator, and does not save itself."""
        has = {name for name in ("get_params", "fit", "predict", *OWN) if callable(getattr(returned, name, None))}
        return has >= {"get_params", "fit", "predict"} and not has.issuperset(OWN)

    @classmethod
    def of(cls, returned: Any, target: Target) -> Self:
        """Wrap an estimator; raises `DataError` if it is not fitted, or predicts another kind of label."""
        from sklearn.base import is_classifier
        from sklearn.exceptions import NotFittedError
        from sklearn.utils.validation import check_is_fitted

        try:
            check_is_fitted(returned)
        except NotFittedError:
            raise unusable(returned, "it is not fitted", "call `fit` before you return it") from None
        except TypeError:
            pass  # It keeps to the conventions alone.
        if target.kind == "regression":
            if is_classifier(returned):
                raise unusable(returned, "a classifier, for values", "return a regressor, or declare `label.kind`")
        elif not hasattr(returned, "predict_proba"):
            raise unusable(
                returned,
                "no `predict_proba`, for a label with classes",
                "wrap a classifier in scikit-learn's CalibratedClassifierCV; a regressor is for `kind: regression`",
            )
        return cls(returned, target)

    def predict(self, frame: pd.DataFrame) -> np.ndarray:
        """Return a probability, a probability for each declared class, or a value, for every row."""
        import numpy as np

        rows = estimator_columns(self.estimator, frame)
        if self.target.kind == "regression":
            values = np.asarray(self.estimator.predict(rows))
            return values[:, 0] if values.ndim == 2 and values.shape[1] == 1 else values
        found = np.asarray(self.estimator.predict_proba(rows))
        learned = getattr(self.estimator, "classes_", range(found.shape[-1]))
        return as_declared(found, list(learned), self.target)

    def save(self, folder: Path) -> None:
        """Write the estimator, and what it predicts."""
        save_estimator(self.estimator, folder / FILE)
        self.target.save(folder)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        return cls(load_estimator(folder / FILE), Target.load(folder))
