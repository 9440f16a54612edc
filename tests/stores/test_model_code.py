"""The code that travels with a model loads it without Airloom, without the project, and with what it requires alone."""

import re
import subprocess
import sys
from importlib.metadata import version

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from airloom.contracts import class_reference
from airloom.flavours.flavour import Target
from airloom.flavours.registry import as_model
from airloom.steps.baselines import constant, linear
from airloom.stores import mlflow_files
from airloom.stores.model_code import model_code
from airloom.stores.model_files import write_model
from airloom.stores.tracking import load_mlflow
from tests.worlds.candidates import training_data

MODULES = {
    "__init__.py": "",
    "shop/__init__.py": "from .rates import RATE\n",
    "shop/rates.py": "from . import units\nRATE = units.ONE / 2\n",
    "shop/units.py": "ONE = 1.0\n",
    "shop/unused.py": "import lightgbm\n",
    "shop/steps.py": """
from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np, include.shop.units as units
import include.shop.rates

if TYPE_CHECKING:
    import lightgbm
    from airloom.steps.candidates import TrainingData


def halved(rows):
    from include.shop import RATE

    return rows * RATE * units.ONE * (RATE == include.shop.rates.RATE)
""",
    "shop/models.py": """
import json
from dataclasses import dataclass

import numpy as np

from airloom.steps.candidates import TrainingData
from include.shop.steps import (
    halved,  # a comment
)


@dataclass
class Own:
    share: float

    def predict(self, frame):
        return halved(np.full(len(frame), self.share))

    def save(self, folder):
        (folder / "share.json").write_text(json.dumps(self.share))

    @classmethod
    def load(cls, folder):
        return cls(json.loads((folder / "share.json").read_text()))
""",
}
PLAIN = """
import sys

class Nothing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("airloom", "include", "lightgbm"):
            raise ImportError(name)

sys.meta_path.insert(0, Nothing())
import mlflow, numpy, pandas
rows = pandas.read_parquet(sys.argv[1])
for folder in sys.argv[2:]:
    model = mlflow.pyfunc.load_model(folder)
    print(*model.predict(rows).tolist())
"""


@pytest.fixture
def project(tmp_path, monkeypatch, own_include):
    for name, text in MODULES.items():
        file = tmp_path / "include" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


@pytest.fixture
def rows():
    return pd.DataFrame({"a": np.linspace(-1, 1, 60)})


def described(model, folder, rows):
    """Write a model with MLflow's description; return its code."""
    write_model(model, folder / mlflow_files.FILES, rows)
    code = model_code(class_reference(model), folder / mlflow_files.FILES)
    load_mlflow()
    mlflow_files.write_description(folder, "m-1", "r1", rows, model.predict(rows), code)
    return code


def models(rows):
    from include.shop.models import Own
    from include.shop.steps import halved

    estimator = make_pipeline(FunctionTransformer(halved), HistGradientBoostingClassifier(max_iter=3))
    return [as_model(estimator.fit(rows, (rows["a"] > 0).astype(float)), Target("binary")), Own(0.5)]


def test_models_of_the_projects_own_code_load_side_by_side_in_a_process_that_has_neither(project, rows, tmp_path):
    rows.to_parquet(tmp_path / "rows.parquet")
    made = models(rows)
    for number, model in enumerate(made):
        described(model, tmp_path / f"model_{number}", rows)
    command = [sys.executable, "-I", "-W", "ignore", "-c", PLAIN, str(tmp_path / "rows.parquet")]
    run = subprocess.run(
        [*command, *(str(tmp_path / f"model_{number}") for number in range(len(made)))],
        capture_output=True,
        text=True,
        timeout=240,
        cwd=tmp_path,
    )
    assert run.returncode == 0, run.stderr
    for line, model in zip(run.stdout.splitlines(), made, strict=True):
        np.testing.assert_array_equal(np.array(line.split(), dtype=float), model.predict(rows))


def test_only_what_is_needed_travels_and_is_required(project, rows, tmp_path):
    estimator, own = (described(model, tmp_path / f"model_{number}", rows) for number, model in enumerate(models(rows)))
    shop = {f"include/shop/{name}.py" for name in ("__init__", "rates", "units", "steps")}
    assert {name for name in estimator.files if name.startswith("include/shop")} == shop
    assert {name for name in own.files if name.startswith("include/shop")} == {*shop, "include/shop/models.py"}
    assert estimator.requires == {name: version(name) for name in ("numpy", "scikit-learn", "skops")}
    assert own.requires == {"numpy": version("numpy")}
    lines = (tmp_path / "model_0" / "requirements.txt").read_text().split()
    assert [line.partition("==")[0] for line in lines] == ["mlflow", "numpy", "pandas", "scikit-learn", "skops"]


def test_a_baseline_that_is_a_candidate_requires_no_more_than_other_models(rows, tmp_path):
    data = training_data(rows, (rows["a"] > 0).to_numpy(dtype=float), (), ("a",))
    for number, fit in enumerate((linear, constant)):
        code = described(fit(data, {}, None), tmp_path / f"model_{number}", rows)
        assert set(code.requires) <= {"numpy", "pandas", "scikit-learn", "skops"}


def test_no_line_imports_airloom_or_the_project(project, rows, tmp_path):
    for number, model in enumerate(models(rows)):
        for text in described(model, tmp_path / f"model_{number}", rows).files.values():
            found = re.findall(r"^\s*(?:from|import) (\w+)", text, re.MULTILINE)
            assert not {"airloom", "include"}.intersection(found)


def test_no_file_is_empty(project, rows, tmp_path):
    for number, model in enumerate(models(rows)):
        described(model, tmp_path / f"model_{number}", rows)
    assert [file for file in (tmp_path / "model_0" / "code").rglob("*.py") if not file.stat().st_size] == []


def test_a_changed_file_is_not_loaded(project, rows, tmp_path):
    import mlflow

    [_, own] = models(rows)
    described(own, tmp_path / "model", rows)
    (tmp_path / "model" / mlflow_files.FILES / "share.json").write_text("0.7")
    with pytest.raises(ValueError, match=r"share\.json is not the file that was registered"):
        mlflow.pyfunc.load_model(str(tmp_path / "model"))


def test_the_same_code_has_the_same_package_and_other_code_another(project, rows, tmp_path):
    [estimator, own] = models(rows)
    first = described(own, tmp_path / "first", rows).package
    assert described(own, tmp_path / "second", rows).package == first
    assert described(estimator, tmp_path / "third", rows).package != first
    (project / "include" / "shop" / "units.py").write_text("ONE = 1.0  # as before\n")
    assert described(own, tmp_path / "fourth", rows).package != first
