"""Model files: one folder a model, whatever the framework, verified before anything in it is loaded.

The folder is also an MLflow pyfunc model's data, which the code that travels with it loads (`stores.model_code`). Of
versions that were registered before it did, MLflow calls `_load_pyfunc` of this module.
"""

from __future__ import annotations

import hashlib
import json
import logging
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from airloom.contracts import Model, class_reference, load_class
from airloom.core.errors import AirloomError, DataError, GateError
from airloom.core.failures import failing, failure
from airloom.stores.model_code import model_code
from airloom.stores.model_outputs import compared, numbers_of
from airloom.stores.pickles import pickles_in

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

MANIFEST = "manifest.json"
#: Some rows of the training and what was predicted for them: the proof that what is loaded is what was trained.
SAMPLE = ("sample.parquet", "sample.npy")
SAMPLE_ROWS = 500

_log = logging.getLogger(__name__)


def write_model(model: Model, folder: Path, rows: pd.DataFrame, pickle: bool = False) -> str:
    """Write a model, what it predicts for some rows, and the manifest with the SHA-256 sums of its files.

    Then load it once: what is kept can be loaded, and predicts the same.

    Args:
        model: The model.
        folder: A folder that does not exist yet.
        rows: Rows that it was trained on; the first of them are kept.
        pickle: Its files may run code when they are loaded.

    Returns:
        The manifest's own SHA-256 sum, to be kept apart from the folder.

    Raises:
        DataError: It cannot be saved, or a file of it would run code; or it cannot be loaded again, or predicts other
            values then.
    """
    reference = class_reference(model)
    if reference.startswith("__main__:") or "<locals>" in reference:
        raise DataError(
            "A model cannot be loaded again.", where=reference, do="put its class at the top level of a module"
        )
    folder.mkdir(parents=True)
    with failing("A model cannot be saved."):
        model.save(folder)
    pickles = pickles_in(folder)
    if pickles and not pickle:
        raise DataError(
            "A model's files run code when they are loaded: pickle, joblib or a program of torch.",
            where=", ".join(pickles),
            do="return the estimator itself, or save with skops, safetensors or the library's own format; "
            "or declare `artifacts: {pickle: allow}`",
        )
    _write_sample(model, folder, rows.head(SAMPLE_ROWS))
    manifest = {
        "class": reference,
        "files": _sums(folder),
        "libraries": model_code(reference, folder).requires,
        **({"pickles": pickles} if pickles else {}),
    }
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=1, sort_keys=True), encoding="utf-8")
    _require_same(load_verified(folder, manifest), folder)
    return _sha256(folder / MANIFEST)


def _require_same(model: Model, folder: Path) -> None:
    """Make sure that what was loaded predicts what was trained.

    Raises:
        DataError: It does not.
    """
    rows, expected = read_sample(folder)
    _, problem = compared(numbers_of(model, rows, "A model that was saved and loaded"), expected)
    if problem:
        raise DataError(
            "A model predicts other values after it was saved and loaded.",
            where=class_reference(model),
            found=problem,
            do="save everything that `predict` needs, and predict without chance",
        )


def _write_sample(model: Model, folder: Path, rows: pd.DataFrame) -> None:
    import numpy as np

    inputs, outputs = (folder / name for name in SAMPLE)
    rows.to_parquet(inputs, index=False)
    np.save(outputs, numbers_of(model, rows, "A model"), allow_pickle=False)


def read_sample(folder: Path) -> tuple[pd.DataFrame, np.ndarray]:
    """Read the sample rows and what was predicted for them; the files have been verified.

    Raises:
        DataError: There is none.
    """
    import numpy as np
    import pandas as pd

    inputs, outputs = (folder / name for name in SAMPLE)
    if not inputs.is_file() or not outputs.is_file():
        raise DataError(
            "A model was kept without sample rows, and cannot be proven.", where=str(folder), do="train again"
        )
    return pd.read_parquet(inputs), np.load(outputs, allow_pickle=False)


def read_model(folder: Path, manifest_sum: str) -> Model:
    """Load a model after every one of its files has proved to be what was written.

    Args:
        folder: The model's folder.
        manifest_sum: What `write_model` returned.

    Raises:
        GateError: A file was changed, added or removed.
        DataError: The model cannot be loaded with the code and the libraries that are installed.
    """
    return load_verified(folder, verify(folder, manifest_sum))


def verify(folder: Path, manifest_sum: str) -> dict[str, Any]:
    """Compare a model's files with its manifest, and the manifest with its sum.

    Returns:
        The manifest.

    Raises:
        GateError: A file was changed, added or removed.
    """
    file = folder / MANIFEST
    if not file.is_file() or _sha256(file) != manifest_sum:
        raise _tampered(file, "other content than was registered" if file.is_file() else "no such file")
    return _verify_files(folder)


def _verify_files(folder: Path) -> dict[str, Any]:
    manifest = cast("dict[str, Any]", json.loads((folder / MANIFEST).read_text(encoding="utf-8")))
    there = _sums(folder)
    for name in sorted({*there, *manifest["files"]}):
        if there.get(name) != manifest["files"].get(name):
            found = "no such file" if name not in there else "other content than its manifest says"
            raise _tampered(folder / name, found if name in manifest["files"] else "a file that nobody registered")
    return manifest


def _tampered(file: Path, found: str) -> GateError:
    return GateError(
        "A model's files are not the ones that were registered; nothing was loaded.",
        where=str(file),
        found=found,
        do="restore the file, or roll the champion back and train again",
    )


def load_verified(folder: Path, manifest: dict[str, Any]) -> Model:
    """Load a model whose files have proved to be what their manifest says.

    Raises:
        GateError: A file would run code, which nobody has allowed.
        DataError: The model cannot be loaded with the code and the libraries that are installed.
    """
    if pickles := sorted({*pickles_in(folder)} - {*manifest.get("pickles", [])}):
        raise GateError(
            "A model's files run code when they are loaded, which its pipeline has not allowed; nothing was loaded.",
            where=str(folder),
            found=", ".join(pickles),
            do="train it again",
        )
    differing = [f"{name} {was}" for name, was in manifest["libraries"].items() if version_of(name) != was]
    if differing:
        _log.warning("A model was trained with other libraries than are installed: %s.", ", ".join(differing))
    try:
        return load_class(manifest["class"], folder)
    except AirloomError:
        raise
    except (Exception, SystemExit) as error:
        raise DataError(
            "A model cannot be loaded with the code and the libraries that are installed.",
            where=manifest["class"],
            found=failure(error),
            expected=f"{', '.join(differing)}, which it was trained with" if differing else None,
            do="keep the classes of registered models importable, or train again",
        ) from error


def version_of(distribution: str) -> str | None:
    """Return the installed version of a distribution, None where there is none."""
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


def _sums(folder: Path) -> dict[str, str]:
    files = sorted(file for file in folder.rglob("*") if file.is_file() and file != folder / MANIFEST)
    return {file.relative_to(folder).as_posix(): _sha256(file) for file in files}


def _sha256(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _load_pyfunc(data_path: str) -> Model:
    """Load a model for `mlflow.pyfunc.load_model`, which passes no sum: the files must fit their own manifest."""
    folder = Path(data_path)
    return load_verified(folder, _verify_files(folder))
