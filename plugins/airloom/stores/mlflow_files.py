"""What MLflow is shown of a training, without its own look at every row and at every installed package."""

from __future__ import annotations

import json
import platform
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airloom.core.places import Place
from airloom.stores.model_code import ModelCode
from airloom.stores.model_files import version_of
from airloom.stores.tracking import quietly

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from mlflow.entities import Dataset

#: Where our files are below the model's own folder, where MLflow's pyfunc flavour expects them.
FILES = "data/model"
#: The tag of a run with the logged model that it has trained.
MODEL_TAG = "airloom.model_id"
#: Where the code is that travels with them.
_CODE = "code"

#: What MLflow itself needs to load a model and to give it rows.
_MLFLOW = ("mlflow", "pandas")

#: Kinds of object columns whose every value shows MLflow the same type.
_UNIFORM = {"string", "boolean"}


def schema_rows(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a few rows from which MLflow infers the same schema as from all.

    MLflow looks at every value in Python (1 s for 17,000 rows of 15 columns), for two answers a column: the type of
    its values, and whether one is missing. The first present and the first missing value of each column give both.
    All rows are returned if there is an object column that holds anything but strings or booleans.
    """
    from pandas.api.types import infer_dtype

    rows: set[int] = set()
    for _, column in frame.items():
        if column.empty or (column.dtype.kind == "O" and infer_dtype(column, skipna=True) not in _UNIFORM):
            return frame
        missing = column.isna().to_numpy()
        rows |= {int(missing.argmin()), int(missing.argmax())}
    return frame.iloc[sorted(rows)]


def described_dataset(rows: pd.DataFrame, digest: str, file: Place) -> Dataset:
    """Describe a training set as MLflow does: its columns and how many rows, under our own digest."""
    with quietly():
        from mlflow.data import from_pandas
        from mlflow.entities import Dataset

        shown, whole = (
            from_pandas(each, source=str(file), name="training", digest=digest) for each in (schema_rows(rows), rows)
        )
        dataset: Dataset = Dataset.from_dictionary(shown.to_dict() | {"profile": json.dumps(whole.profile)})
    return dataset


def write_description(
    folder: Path, model_id: str, run_id: str, inputs: pd.DataFrame, outputs: np.ndarray, code: ModelCode
) -> None:
    """Write MLflow's own description around a model's files, so that every tool that knows MLflow can read the model.

    It is loaded by the code that travels with it, and needs neither Airloom nor the project.

    These are the files that `mlflow.pyfunc.save_model` writes. That compares every requirement with what is installed,
    for which it looks through the files of all packages (1 s); ours are made from what is installed.

    Args:
        folder: The model's own folder; its files are there below `FILES`.
        model_id: Of the logged model in MLflow.
        run_id: The run that trained it.
        inputs: Rows that it was trained on, for its signature.
        outputs: What it predicts for them.
        code: What loads it.
    """
    import yaml

    with quietly():
        from mlflow import pyfunc
        from mlflow.models import Model, infer_signature

        signature = infer_signature(schema_rows(inputs), outputs)
        description = Model(run_id=run_id, model_id=model_id, signature=signature)
        description.model_size_bytes = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
        pyfunc.add_to_model(
            description,
            loader_module=code.loader,
            data=FILES,
            code=_CODE,
            conda_env="conda.yaml",
            python_env="python_env.yaml",
            streamable=False,
        )
        description.save(folder / "MLmodel")
    code.write(folder / _CODE)
    requirements = _requirements(code)
    (folder / "requirements.txt").write_text("\n".join(requirements), encoding="utf-8")
    environments = {"conda.yaml": _conda(requirements), "python_env.yaml": _python()}
    for name, environment in environments.items():
        (folder / name).write_text(yaml.safe_dump(environment, sort_keys=False), encoding="utf-8")


def _requirements(code: ModelCode) -> list[str]:
    """Pin what is installed; a local build's suffix, such as `+cpu`, names nothing that an index has."""
    needed = {name: version_of(name) for name in _MLFLOW} | code.requires
    return [f"{name}=={version.partition('+')[0]}" for name, version in sorted(needed.items()) if version]


def _conda(requirements: list[str]) -> dict[str, Any]:
    pip = version_of("pip")
    # conda-forge has a new version of pip later than PyPI.
    return {
        "channels": ["conda-forge"],
        "dependencies": [
            f"python={platform.python_version()}",
            f"pip<={pip}" if pip else "pip",
            {"pip": requirements},
        ],
        "name": "mlflow-env",
    }


def _python() -> dict[str, Any]:
    builders = {name: version_of(name) for name in ("pip", "setuptools", "wheel")}
    return {
        "python": platform.python_version(),
        "build_dependencies": [f"{name}=={version}" if version else name for name, version in builders.items()],
        "dependencies": ["-r requirements.txt"],
    }
