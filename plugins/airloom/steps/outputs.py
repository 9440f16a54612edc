"""What models predict, by kind of label: a probability, a probability for each class, or a value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from airloom.core.errors import DataError
from airloom.core.pipeline import Label

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

#: By how much the probabilities of a row's classes may miss 1 in sum.
_TOLERANCE = 1e-6


def require_outputs(label: Label, outputs: np.ndarray, rows: int, candidate: str) -> None:
    """Make sure that a candidate predicts what its kind of label asks for.

    Raises:
        DataError: The shape is wrong, a value is not finite, or a probability is none.
    """
    import numpy as np

    shape = (rows, len(label.classes)) if label.kind == "multiclass" else (rows,)
    wrong = ~np.isfinite(outputs)
    if label.kind != "regression":
        wrong |= ~((outputs >= 0) & (outputs <= 1))
    if label.kind == "multiclass" and outputs.shape == shape:
        wrong |= (np.abs(outputs.sum(axis=1) - 1) > _TOLERANCE)[:, None]
    if outputs.shape != shape or wrong.any():
        raise DataError(
            f"The candidate {candidate} predicts values that are not {_WANTED[label.kind][0]}.",
            found=f"{int(np.count_nonzero(wrong))} of {outputs.size} values, shape {outputs.shape}",
            expected=f"shape {shape}, {_WANTED[label.kind][1]}",
            do="look for extreme values in the features, or correct the candidate",
        )


_WANTED = {
    "binary": ("probabilities", "values from 0 to 1"),
    "multiclass": ("probabilities of the declared classes", "values from 0 to 1 whose sum is 1 in every row"),
    "regression": ("numbers", "finite values"),
}


def names(label: Label, prefix: str) -> list[str]:
    """Return the columns that keep what a model predicts: one, or one a class."""
    return [f"{prefix}_{each}" for each in label.classes] if label.kind == "multiclass" else [prefix]


def to_columns(label: Label, prefix: str, outputs: np.ndarray | None) -> Mapping[str, np.ndarray | None]:
    """Return outputs as named columns; without outputs, columns without values."""
    columns = names(label, prefix)
    if outputs is None:
        return dict.fromkeys(columns)
    return dict(zip(columns, outputs.T if outputs.ndim == 2 else [outputs], strict=True))


def from_columns(label: Label, prefix: str, rows: pd.DataFrame) -> np.ndarray:
    """Return what `to_columns` has named, as the model has predicted it."""
    values = rows[names(label, prefix)].to_numpy(dtype=float)
    return values if label.kind == "multiclass" else values[:, 0]


def label_codes(label: Label, values: pd.Series) -> pd.Series:
    """Return labels as numbers: classes by their declared position.

    Raises:
        DataError: A class is none of the declared ones.
    """
    if label.kind != "multiclass":
        return values.astype(float)
    positions = {name: float(position) for position, name in enumerate(label.classes)}
    codes = values.astype(str).map(positions)
    unknown = sorted(set(values[codes.isna()].astype(str)))
    if unknown:
        raise DataError(
            f"The label {label.column} has classes that the declaration does not name.",
            found=", ".join(unknown[:10]),
            expected=", ".join(label.classes),
            do="add them to label.classes, or correct the source",
        )
    return codes
