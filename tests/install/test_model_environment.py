"""A model loads, and serves, in an environment of what it requires: without Airloom and without the project."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from airloom.contracts import class_reference
from airloom.flavours.flavour import Target
from airloom.flavours.registry import as_model
from airloom.stores import mlflow_files
from airloom.stores.model_code import model_code
from airloom.stores.model_files import write_model
from airloom.stores.tracking import load_mlflow
from tests.install.test_setup import run
from tests.worlds.candidates import training_data
from tests.worlds.machines import Form

pytestmark = [pytest.mark.install, pytest.mark.timeout(3600)]

LOAD = """
import sys, mlflow, pandas
rows = pandas.read_parquet(sys.argv[2])
print(*mlflow.pyfunc.load_model(sys.argv[1]).predict(rows).tolist())
"""


class Silent:
    def log(self, metrics, step):
        pass


@pytest.fixture
def described(tmp_path, own_include, monkeypatch):
    """A model of lightgbm in a Pipeline with a function of the project, its rows, and what it predicts for them."""
    Form("binary", "light_trees", "number").write(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    from include.machines.models import light_trees
    from include.machines.source import readings

    rows = readings(pd.Timestamp("2024-03-01").date())
    frame, label = rows[["material", "heat", "age"]], (rows["fails"] == "fails").to_numpy(dtype=float)
    data = training_data(frame, label, ("material",), ("heat", "age"))
    model = as_model(light_trees(data, {}, Silent()), Target("binary"))
    folder = tmp_path / "model"
    write_model(model, folder / mlflow_files.FILES, frame)
    load_mlflow()
    code = model_code(class_reference(model), folder / mlflow_files.FILES)
    expected = model.predict(frame)
    mlflow_files.write_description(folder, "m-1", "r1", frame, expected, code)
    frame.to_parquet(tmp_path / "rows.parquet")
    return folder, tmp_path / "rows.parquet", expected


def test_a_model_loads_with_what_it_requires_alone(described, tmp_path):
    folder, rows, expected = described
    python = str(Path(sys.base_prefix) / "bin" / "python3.11")
    run(python, "-m", "venv", "environment", cwd=tmp_path)
    python = str(tmp_path / "environment" / "bin" / "python")
    run(python, "-m", "pip", "install", "--quiet", "-r", str(folder / "requirements.txt"), cwd=tmp_path)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    assert subprocess.run([python, "-c", "import airloom"], capture_output=True, cwd=elsewhere).returncode != 0
    told = run(python, "-W", "ignore", "-c", LOAD, str(folder), str(rows), cwd=elsewhere)
    np.testing.assert_array_equal(np.array(told.split(), dtype=float), expected)
    (elsewhere / "rows.csv").write_text(pd.read_parquet(rows).to_csv(index=False))
    asked = ["-m", "mlflow", "models", "predict", "-m", str(folder), "-i", "rows.csv", "-o", "answers.json"]
    run(python, *asked, "--content-type", "csv", "--env-manager", "local", cwd=elsewhere)
    assert len(pd.read_json(elsewhere / "answers.json")) == len(expected)
