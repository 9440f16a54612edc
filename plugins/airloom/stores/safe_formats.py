"""Formats that keep scikit-learn and torch models without executing a pickle when they are read."""

from __future__ import annotations

import importlib
import sys
import warnings
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, cast

from airloom.core.errors import DataError

if TYPE_CHECKING:
    import torch

#: Types beyond skops' own that may be constructed. skops reads its list from the file that it is about to load,
#: which would let the file vouch for itself, so ours is written here.
_TRUSTED = (
    "functools.partial",
    # What an imputer has seen; skops reads it from an empty array, which holds no pickle.
    "numpy.dtype",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.utils.validation.check_array",
)

#: What scikit-learn's search for its own estimators imports and leaves out of the result.
_PASSED_OVER = tuple(f"sklearn.externals.array_api_compat.{name}" for name in ("cupy", "dask", "torch"))


def load_skops() -> ModuleType:
    """Import skops quietly, and with nothing that a list of scikit-learn's estimators does not need.

    skops trusts the estimators of scikit-learn, and asks it for a list as it is imported. scikit-learn leaves its
    `externals` out of the list, yet imports them on the way, and with them all of torch and dask (2 s). A package that
    `sys.modules` holds as None cannot be imported, and is passed over; the list is the same. Afterwards it can again.

    skops also looks at every attribute of every module, also at those that warn about being old.
    """
    passed = {name: None for name in _PASSED_OVER if name not in sys.modules}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sys.modules.update(cast("dict[str, ModuleType]", passed))
        try:
            return importlib.import_module("skops.io")
        finally:
            for name in passed:
                sys.modules.pop(name, None)


def save_estimator(estimator: Any, file: Path) -> None:
    """Write a fitted scikit-learn estimator in skops' format."""
    load_skops().dump(estimator, file)


def load_estimator(file: Path) -> Any:
    """Read what `save_estimator` wrote.

    Raises:
        DataError: The file holds a type that is not on the list, or is no such file at all.
    """
    import zipfile

    skops = load_skops()
    from skops.io.exceptions import UntrustedTypesFoundException

    try:
        return skops.load(file, trusted=list(_TRUSTED))
    except (UntrustedTypesFoundException, TypeError, zipfile.BadZipFile, KeyError) as error:
        raise _refused(file, error) from error


def save_weights(weights: dict[str, torch.Tensor], file: Path) -> None:
    """Write a torch module's `state_dict`, on the CPU whatever device it was trained on."""
    import torch

    torch.save({name: tensor.detach().cpu() for name, tensor in weights.items()}, file)


def load_weights(file: Path) -> dict[str, torch.Tensor]:
    """Read what `save_weights` wrote.

    Raises:
        DataError: The file holds anything but tensors.
    """
    import pickle

    import torch

    try:
        return cast("dict[str, torch.Tensor]", torch.load(file, map_location="cpu", weights_only=True))
    except (pickle.UnpicklingError, RuntimeError) as error:
        raise _refused(file, error) from error


def _refused(file: Path, error: Exception) -> DataError:
    return DataError(
        "A model's file holds what it must not; nothing of it was executed.",
        where=str(file),
        found=str(error).partition("\n")[0] or type(error).__name__,
        do="train the model again",
    )
