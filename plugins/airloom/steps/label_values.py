"""What a label may be: one contract for training, for evaluation and for the judging of published predictions.

Binary labels are 0 or 1, false or true, or one of two declared classes, of which the second is the positive one. Of
several classes each is declared. Values of a regression are finite.
"""

from __future__ import annotations

import math
from decimal import Decimal
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

from airloom.core.errors import DataError
from airloom.core.pipeline import Label, Pipeline

if TYPE_CHECKING:
    import pandas as pd

#: A double holds every whole number up to this one.
_LARGEST_WHOLE = 2**53

_WRONG = {
    "binary": ("values that are neither 0 nor 1", "0 or 1, false or true, or one of two declared classes"),
    "regression": ("values that are no finite numbers", "finite numbers, whole ones up to 2**53"),
}


def label_codes(label: Label, values: pd.Series) -> tuple[pd.Series, pd.Series]:
    """Return labels as numbers, and which of them the declaration does not know.

    Args:
        label: The declared label.
        values: Values as the lake has them.

    Returns:
        The position of the declared class, 1.0 and 0.0 of a binary label without names, the value of a regression; NaN
        where the label is missing or not known. And for each whether it is there and not known.
    """
    import numpy as np
    import pandas as pd

    places, found = pd.factorize(values)  # the place of a missing one is -1
    codes = np.array([*(_code(label, each) for each in found), np.nan], dtype=float)
    coded = pd.Series(codes[places], index=values.index, name=values.name)
    return coded, coded.isna() & values.notna()


def label_name(label: Label, code: float) -> str:
    """Return what people call a label that is known by its number."""
    return label.classes[int(code)] if label.classes else str(code)


def require_known(pipeline: Pipeline, unknown: int, rows: int) -> None:
    """Make sure that every label is what the declaration says, unless others are declared to be left out.

    Args:
        pipeline: The declaration.
        unknown: How many labels are something else.
        rows: How many rows have a label.

    Raises:
        DataError: There are such labels, and `label.unknown` is `block`.
    """
    label = pipeline.label
    if not unknown or label.unknown == "drop":
        return
    found, expected = _WRONG.get(label.kind, ("", ""))
    do = "correct the source, or declare `label.unknown: drop` to leave such rows out"
    if label.classes:
        found, expected = "classes that the declaration does not name", ", ".join(label.classes)
        do = f"add them to `label.classes`, {do}" if label.kind == "multiclass" else do
    elif label.kind == "binary":
        do = f'declare both classes, the positive one last: `label.classes: ["no", "yes"]`; {do}'
    raise DataError(
        f"The label {label.column} has {found}.",
        where=f"pipeline {pipeline.name}, {f'table {label.table}' if label.table else f'query {label.sql}'}",
        found=f"{unknown} of {rows} labels",
        expected=expected,
        do=do,
    )


def _code(label: Label, value: Any) -> float:
    """Return the number of one label; NaN of one that is not known."""
    import numpy as np

    if label.classes:
        name = str(value) if str(value) in label.classes else _name(value)
        return float(label.classes.index(name)) if name in label.classes else math.nan
    if not isinstance(value, Real | Decimal | np.bool_):
        return math.nan
    if label.kind == "binary":
        return float(value) if value in (0, 1) else math.nan
    if not math.isfinite(value):
        return math.nan
    too_large = isinstance(value, Integral | Decimal) and not -_LARGEST_WHOLE <= int(value) <= _LARGEST_WHOLE
    return math.nan if too_large else float(value)


def _name(value: Any) -> str:
    """Return the name of a value as YAML writes it: a whole number is one, also where its column holds doubles."""
    import numpy as np

    if isinstance(value, bool | np.bool_):
        return str(bool(value)).lower()
    if isinstance(value, float | np.floating | Decimal) and math.isfinite(value) and value == int(value):
        return str(int(value))
    return str(value)
