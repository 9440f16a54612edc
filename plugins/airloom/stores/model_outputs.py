"""What a model returns, as numbers: the only place that asks a model for predictions."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from numbers import Real
from typing import TYPE_CHECKING, Any

from airloom.core.errors import DataError
from airloom.core.failures import failing

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from airloom.contracts import Model

#: A double holds every whole number up to this one.
_LARGEST_WHOLE = 2**53
#: By how much a prediction may differ from what it was in training, relative to its size.
_TOLERANCE = 1e-6


def numbers_of(model: Model, frame: pd.DataFrame, who: str, classes: Sequence[str] | None = None) -> np.ndarray:
    """Return what a model predicts for rows, as doubles in the order of the rows.

    The model gets a copy of the frame of its own, whose index is 0, 1, 2, ….

    Args:
        model: The model.
        frame: The rows.
        who: What the model is called in errors, `Version 3`.
        classes: The columns that a DataFrame may have, in their order; its columns may also be 0, 1, 2, …. Without
            them any columns are taken.

    Raises:
        DataError: The model raises anything; or returns something that is no array of numbers, or whose order is not
            known to be that of the rows.
    """
    import numpy as np
    import pandas as pd

    rows = frame.reset_index(drop=True)  # which copies
    index = rows.index
    with failing(f"{who} cannot predict these rows."):
        returned = ask(model, rows)
    if isinstance(returned, pd.Series | pd.DataFrame) and not returned.index.equals(index):
        raise _refused(who, f"a {type(returned).__name__} whose index is not that of the frame")
    if isinstance(returned, pd.DataFrame) and classes is not None and not _are_classes(returned.columns, classes):
        raise _refused(who, "a DataFrame whose columns are not the declared classes in their order")
    if np.ma.is_masked(returned):
        raise _refused(who, "an array with masked values")
    try:
        values = _as_doubles(np.asarray(returned))
    except Exception as error:
        raise _refused(who, f"a {type(returned).__name__} with other values than numbers") from error
    return values


def compared(outputs: np.ndarray, expected: np.ndarray) -> tuple[float | None, str | None]:
    """Compare what a version predicts for the rows kept with it with what it did when it was trained.

    Returns:
        The largest difference, and what is wrong with it.
    """
    import numpy as np

    if outputs.shape != expected.shape:
        return None, f"predictions of shape {outputs.shape} instead of {expected.shape}"
    difference = float(np.abs(outputs - expected).max(initial=0.0))
    same = np.allclose(outputs, expected, rtol=_TOLERANCE, atol=_TOLERANCE)
    return difference, None if same else f"predictions differ by up to {difference:.3g} from those of its training"


def ask(model: Model, rows: pd.DataFrame) -> Any:
    """Return what a model predicts, as it returns it; whatever it raises goes on."""
    return model.predict(rows)


def _refused(who: str, found: str) -> DataError:
    return DataError(
        f"{who} returns no numbers in the order of the rows.",
        found=found,
        expected="an array, a list, or a pandas object with the index of the frame, of numbers",
        do="correct `predict` of the model",
    )


def _are_classes(columns: pd.Index, classes: Sequence[str]) -> bool:
    """Tell whether columns are in the declared order: by their names, or by numbers that are not names themselves."""
    names, positions = [str(name) for name in columns], [str(position) for position in range(len(columns))]
    return names == list(classes) or (names == positions and set(names) != set(classes))


def _as_doubles(values: np.ndarray) -> np.ndarray:
    """Convert booleans, numbers and objects that are numbers.

    Raises:
        TypeError: There are values of another type.
        OverflowError: A whole number is too large for a double.
    """
    import numpy as np

    if values.dtype.kind == "O":
        found = [_as_double(each) for each in values.ravel()]
        return np.array(found, dtype=float).reshape(values.shape)
    if values.dtype.kind not in "bfiu":
        raise TypeError(values.dtype)
    if values.dtype.kind in "iu" and ((values > _LARGEST_WHOLE) | (values < -_LARGEST_WHOLE)).any():
        raise OverflowError
    with np.errstate(over="ignore"):  # A number of more than 64 bits becomes infinite, and is counted as such.
        return values.astype(float)


def _as_double(value: Any) -> float:
    import numpy as np
    import pandas as pd

    if value is None or value is pd.NA:
        return float("nan")
    if not isinstance(value, Real | Decimal | np.bool_):
        raise TypeError(type(value))
    if isinstance(value, int | np.integer) and abs(int(value)) > _LARGEST_WHOLE:
        raise OverflowError
    return float(value)
