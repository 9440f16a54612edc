"""What MLflow is shown of a training is what MLflow itself would have found, at a fraction of the cost."""

import json
import os
import subprocess
import sys
from datetime import datetime
from decimal import Decimal
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from airloom.stores import mlflow_files
from airloom.stores.model_code import ModelCode
from airloom.stores.tracking import load_mlflow, quietly

CODE = ModelCode(
    "airloom_model_x",
    {"__init__.py": "# A package.\n", "load.py": "def _load_pyfunc(data_path):\n    return None\n"},
    {"torch": version("torch")},
)
MODEL = {"model_id": "m-1", "run_id": "r1"}
OUTPUTS = np.array([0.1, 0.2, 0.3])
COLUMNS = {
    "words": ["UA", "B6", "UA"],
    "words, one missing": ["UA", None, "B6"],
    "words, first missing": [None, np.nan, "B6"],
    "new words": pd.array(["UA", None, "B6"], dtype="string"),
    "categories": pd.Categorical(["UA", "B6", None]),
    "nothing but None": [None, None, None],
    "None and not a number": pd.Series([None, np.nan, None], dtype=object),
    "whole": [1, 2, 3],
    "small": np.array([1, 2, 3], dtype="int16"),
    "without sign": np.array([1, 2, 3], dtype="uint64"),
    "whole, one missing": [1, None, 3],
    "Int64": pd.array([1, None, 3], dtype="Int64"),
    "Int64 without missing": pd.array([1, 2, 3], dtype="Int64"),
    "objects that are whole": pd.Series([1, 2, 3], dtype=object),
    "objects, last missing": pd.Series([1, 2, None], dtype=object),
    "objects of two types": pd.Series([1, "B6", None], dtype=object),
    "single": np.array([0.5, np.nan, 1.5], dtype="float32"),
    "double": [0.5, np.inf, 1.5],
    "not a number": [np.nan, np.nan, np.nan],
    "yes or no": [True, False, True],
    "yes, no or missing": [True, None, False],
    "boolean": pd.array([True, None, False], dtype="boolean"),
    "moments": pd.to_datetime(["2024-01-01", None, "2024-01-03"]),
    "zoned": pd.to_datetime(["2024-01-01", "2024-01-02", "2024-01-03"]).tz_localize("UTC"),
    "naive objects": pd.Series([datetime(2024, 1, 1), None, datetime(2024, 1, 3)], dtype=object),
    "bytes": [b"UA", None, b"B6"],
    "exact": [Decimal(1), None, Decimal(3)],
    "lists": [["UA"], None, ["B6", "WN"]],
}


@pytest.fixture(autouse=True)
def mlflow():
    load_mlflow()
    with quietly():
        yield


def inferred(frame):
    from mlflow.models import infer_signature

    return infer_signature(frame, OUTPUTS)


@pytest.mark.parametrize("name", COLUMNS)
def test_few_rows_show_the_schema_that_all_rows_do(name):
    frame = pd.DataFrame({"other": [3, 2, 1], name: COLUMNS[name]})
    assert inferred(mlflow_files.schema_rows(frame)) == inferred(frame)


def test_a_frame_without_rows_is_shown_as_it_is():
    frame = pd.DataFrame({"words": pd.Series([], dtype=object), "number": pd.Series([], dtype=float)})
    assert mlflow_files.schema_rows(frame).equals(frame)


def test_no_more_rows_are_shown_than_a_present_and_a_missing_value_of_each_column():
    random = np.random.default_rng(3)
    frame = pd.DataFrame({"words": random.choice(["UA", None], 900), "number": random.choice([1.5, np.nan], 900)})
    assert len(mlflow_files.schema_rows(frame)) <= 2 * len(frame.columns)


@pytest.mark.parametrize("flag", [[True, None] * 200, [True, False] * 200])
def test_a_dataset_is_described_as_mlflow_describes_it(flag, tmp_path):
    from mlflow.data import from_pandas

    frame = pd.DataFrame({"words": ["UA", None] * 200, "whole": range(400), "flag": flag})
    theirs = from_pandas(frame, source=str(tmp_path / "rows.parquet"), name="training", digest="abc")
    assert dict(mlflow_files.described_dataset(frame, "abc", tmp_path / "rows.parquet")) == theirs.to_dict()


@pytest.fixture
def folder(tmp_path):
    (files := tmp_path / "ours" / mlflow_files.FILES).mkdir(parents=True)
    (files / "config.json").write_text(json.dumps({"words": {}}))
    return tmp_path / "ours"


def test_a_model_is_described_as_mlflow_describes_it(folder):
    from mlflow import pyfunc
    from mlflow.models import Model

    frame = pd.DataFrame({name: COLUMNS[name] for name in ("words, one missing", "whole", "double")})
    theirs = folder.with_name("theirs")
    mlflow_files.write_description(folder, **MODEL, inputs=frame, outputs=OUTPUTS, code=CODE)
    CODE.write(folder.with_name("elsewhere"))
    pyfunc.save_model(
        path=str(theirs),
        loader_module="airloom_model_x.load",
        code_paths=[str(folder.with_name("elsewhere") / "airloom_model_x")],
        data_path=str(folder / mlflow_files.FILES),
        signature=inferred(frame),
        pip_requirements=[f"{name}=={version(name).partition('+')[0]}" for name in ("mlflow", "pandas", "torch")],
        mlflow_model=Model(**MODEL),
    )
    assert read(folder) == read(theirs)


def read(folder: Path) -> dict:
    """Read all files, but for what is another at every saving."""
    texts = {file.relative_to(folder): file.read_text() for file in folder.rglob("*") if file.is_file()}
    description = yaml.safe_load(texts.pop(Path("MLmodel")))
    return {**texts, "MLmodel": {**description, "model_uuid": "", "utc_time_created": ""}}


WATCHED = """
import sys, tempfile
from pathlib import Path
import pandas as pd
from airloom.stores import mlflow_files
from airloom.stores.model_code import model_code
from airloom.stores.tracking import load_mlflow
load_mlflow()
import mlflow.pyfunc, numpy, sklearn, skops, torch
seen = []
def watch(event, arguments):
    if event in ("subprocess.Popen", "os.fork", "os.posix_spawn", "os.system"):
        seen.append(event)
    if event == "open" and str(arguments[0]).endswith((".dist-info/RECORD", "top_level.txt")):
        seen.append(arguments[0])
sys.addaudithook(watch)
folder = Path(tempfile.mkdtemp())
code = model_code("airloom.flavours.network:Network", folder)
mlflow_files.write_description(folder, "m-1", "r1", pd.DataFrame({"number": [1.5]}), numpy.array([0.5]), code)
print("SEEN", seen, sorted(file.name for file in folder.iterdir()))
"""


def test_describing_a_model_starts_no_process_and_looks_through_no_package():
    run = subprocess.run(
        [sys.executable, "-c", WATCHED],
        capture_output=True,
        text=True,
        timeout=240,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert "SEEN [] ['MLmodel', 'code', 'conda.yaml', 'python_env.yaml', 'requirements.txt']" in run.stdout, run.stderr
