"""The columns of a frame that a library's model was fitted on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airloom.flavours.flavour import unusable

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd


def fitted_columns(
    model: Any, names: Sequence[str] | None, width: int | None, frame: pd.DataFrame
) -> pd.DataFrame | np.ndarray:
    """Return the columns that a model was fitted on; as an array if it was fitted on one; all if it does not tell.

    Args:
        model: For the error.
        names: Their names, where it was fitted on a frame.
        width: How many they were, where it tells.
        frame: The rows to predict.

    Raises:
        DataError: The frame lacks one, or it was fitted on an array of other columns.
    """
    if names is not None:
        if lacking := [str(name) for name in names if name not in frame]:
            raise unusable(model, f"fitted on columns that are no inputs: {', '.join(lacking[:5])}", _PIPELINE)
        return frame[list(names)]
    if width is not None and width != frame.shape[1]:
        found = f"fitted on an array of {width} columns, where the frame has {frame.shape[1]}"
        raise unusable(model, found, "fit it on `data.frame`, or on some of its columns by name")
    return frame if width is None else frame.to_numpy()


def estimator_columns(estimator: Any, frame: pd.DataFrame) -> pd.DataFrame | np.ndarray:
    """Return the columns that an estimator or a transformer was fitted on; raises like `fitted_columns`."""
    names, width = (getattr(estimator, name, None) for name in ("feature_names_in_", "n_features_in_"))
    if names is None:
        names = getattr(estimator, "feature_names_", None)  # of catboost
    return fitted_columns(estimator, names, width, frame)


_PIPELINE = "put what makes these columns into a Pipeline with the model, and fit that on `data.frame`"
