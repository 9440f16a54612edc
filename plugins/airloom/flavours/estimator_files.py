"""Files of estimators, in skops' format: what is read is built of types that are trusted, and nothing is executed."""

from __future__ import annotations

import importlib
import sys
import warnings
from pathlib import Path
from types import ModuleType
from typing import Any, cast

from airloom.core.errors import DataError
from airloom.stores.trusted import is_trusted

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
    """Write a fitted estimator.

    Raises:
        DataError: It holds something that cannot be read again.
    """
    skops = load_skops()
    from skops.io.exceptions import UnsupportedTypeException

    try:
        skops.dump(estimator, file)
    except UnsupportedTypeException as error:
        raise DataError(
            f"A {type(estimator).__name__} cannot be saved without pickle.",
            found=str(error).partition("\n")[0],
            do="use another estimator, or declare `artifacts: {pickle: allow}`",
        ) from error
    _trusted_types(file)


def load_estimator(file: Path) -> Any:
    """Read what `save_estimator` wrote.

    Raises:
        DataError: The file holds a type that is not trusted, or is no such file at all.
    """
    skops = load_skops()
    return skops.load(file, trusted=_trusted_types(file))


def _trusted_types(file: Path) -> list[str]:
    """Return the types in a file that skops does not trust by itself, each of which we do.

    skops reads its list from the file that it is about to load, which would let the file vouch for itself.
    """
    import zipfile

    try:
        asked: list[str] = load_skops().get_untrusted_types(file=file)
    except (TypeError, zipfile.BadZipFile, KeyError) as error:
        raise _refused(file, str(error).partition("\n")[0] or type(error).__name__, "train the model again") from error
    if refused := [name for name in asked if not is_trusted(name)]:
        raise _refused(
            file,
            ", ".join(refused),
            "use a class or a named function of a module in `include`, or declare `artifacts: {pickle: allow}`",
        )
    return asked


def _refused(file: Path, found: str, do: str) -> DataError:
    return DataError(
        "A model's file holds what it must not; nothing of it was executed.", where=str(file), found=found, do=do
    )
