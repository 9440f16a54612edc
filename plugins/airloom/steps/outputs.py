"""What models predict, by kind of label: a probability, a probability for each class, or a value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from airloom.contracts import Model
from airloom.core.errors import DataError
from airloom.core.pipeline import Label
from airloom.steps.threads import fixed_threads
from airloom.stores.model_outputs import numbers_of

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

#: By how much the probabilities of a row's classes may miss 1 in sum: single precision is enough.
_TOLERANCE = 1e-5


def predicted(label: Label, model: Model, frame: pd.DataFrame, who: str) -> np.ndarray:
    """Return what a model predicts, after it has proved to be what its kind of label asks for.

    Every step gets predictions by this function. They are a probability or a value for each row, or for several classes
    one probability a class, in the declared order; always finite doubles.

    Args:
        label: The declared label.
        model: The model.
        frame: The rows; the model gets its own copy.
        who: What the model is called in errors, `Version 3`.

    Raises:
        DataError: The model raises anything, or returns something else.
    """
    with fixed_threads():
        outputs = numbers_of(model, frame, who, label.scored_classes)
    require_outputs(label, outputs, len(frame), who)
    return outputs


def require_outputs(label: Label, outputs: np.ndarray, rows: int, who: str) -> None:
    """Make sure that numbers are what a kind of label asks for.

    Raises:
        DataError: The shape is wrong, a value is not finite, or a probability is none.
    """
    shape = (rows, len(label.classes)) if label.kind == "multiclass" else (rows,)
    found = _wrong(label, outputs) if outputs.shape == shape else f"shape {outputs.shape}"
    if found:
        raise DataError(
            f"{who} predicts values that are not {_WANTED[label.kind][0]}.",
            found=found,
            expected=f"shape {shape}, {_WANTED[label.kind][1]}",
            do="look for extreme values in the features, or correct `predict` of the model",
        )


_WANTED = {
    "binary": ("probabilities", "values from 0 to 1"),
    "multiclass": ("probabilities of the declared classes", "values from 0 to 1 whose sum is 1 in every row"),
    "regression": ("numbers", "finite values"),
}


def _wrong(label: Label, outputs: np.ndarray) -> str:
    """Count the values that no prediction may have, without showing one."""
    import numpy as np

    counts = {"missing or NaN": np.isnan(outputs), "infinite": np.isinf(outputs)}
    if label.kind != "regression":
        counts["below 0 or above 1"] = np.isfinite(outputs) & ((outputs < 0) | (outputs > 1))
    found = [f"{where.sum()} of {outputs.size} values {what}" for what, where in counts.items() if where.any()]
    if label.kind == "multiclass" and not found:
        off = np.abs(outputs.sum(axis=1) - 1) > _TOLERANCE
        found = [f"{off.sum()} of {len(outputs)} rows whose sum is not 1"] if off.any() else []
    return ", ".join(found)


def names(label: Label, prefix: str) -> list[str]:
    """Return the columns that keep what a model predicts: one, or one a class."""
    return [f"{prefix}_{each}" for each in label.scored_classes] or [prefix]


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
