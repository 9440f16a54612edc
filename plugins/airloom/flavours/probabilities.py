"""Probabilities of the classes that a model has learned, as probabilities of the classes that a label declares."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airloom.core.errors import DataError
from airloom.flavours.flavour import Target

if TYPE_CHECKING:
    import numpy as np


def as_declared(found: Any, learned: Sequence[Any], target: Target) -> np.ndarray:
    """Return the probability of the positive class, or one for each declared class; 0 for one that was not learned.

    Args:
        found: What a classifier gives: one probability a learned class (shape: rows x learned classes).
        learned: The learned classes: their positions, as a candidate's `data.label` holds them, or their names.
        target: The declared classes.

    Raises:
        DataError: A learned class is none of the declared ones, or there is not one probability for each.
    """
    import numpy as np

    values = np.asarray(found, dtype=float)
    places = [place for each in learned if (place := _place(each, target)) is not None]
    if values.ndim != 2 or not values.shape[1] == len(places) == len(learned):
        raise DataError(
            "A model predicts other classes than are declared.",
            found=f"probabilities of shape {values.shape} for {len(learned)} classes, "
            f"of which {len(learned) - len(places)} are not declared",
            expected="the classes of `data.label`: 0, 1, …, or their declared names",
            do="fit the model on `data.label`",
        )
    filled = np.zeros((len(values), max(2, len(target.classes))))
    filled[:, places] = values
    return filled[:, 1] if target.kind == "binary" else filled


def _place(learned: Any, target: Target) -> int | None:
    """Return the position of a learned class: a number is one, as in `data.label`, also where names are numbers."""
    if isinstance(learned, str):
        return target.classes.index(learned) if learned in target.classes else None
    return int(learned) if learned in range(max(2, len(target.classes))) else None
