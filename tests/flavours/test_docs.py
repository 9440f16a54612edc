"""The candidates that the page on models shows can be trained and kept."""

import importlib
import re
import sys
from pathlib import Path

import numpy as np
import pytest

from airloom.flavours import registry
from airloom.flavours.flavour import Target
from tests.worlds.candidates import training_data

PAGE = Path(__file__).parents[2] / "docs" / "models.md"
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
NAMES = ["scikit-learn", "lightgbm", "xgboost", "torch", "skorch", "own"]


class Silent:
    def log(self, metrics, step):
        assert all(np.isfinite(value) for value in metrics.values())


@pytest.mark.usefixtures("own_include")
@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning")
@pytest.mark.parametrize("block", BLOCKS, ids=NAMES)
def test_a_candidate_of_the_page_is_kept(block, frame, label, kept, tmp_path, monkeypatch):
    monkeypatch.setattr(registry, "_FLAVOURS", list(registry._FLAVOURS))
    (tmp_path / "include" / "shown").mkdir(parents=True)
    for folder in ("include", "include/shown"):
        (tmp_path / folder / "__init__.py").touch()
    (tmp_path / "include" / "shown" / "models.py").write_text(block)
    monkeypatch.syspath_prepend(tmp_path)
    models = importlib.import_module("include.shown.models")
    assert sys.modules["include"].__path__ == [str(tmp_path / "include")]
    model = models.fit(training_data(frame, label, ("word",), ("a", "b")), {}, Silent())
    predictions = kept(model, Target("binary")).predict(frame)
    assert predictions.shape == label.shape
    assert np.ptp(predictions) > 0
