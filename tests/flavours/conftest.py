"""Rows of words and numbers, some of them missing, and what flavours make of models fitted on them."""

import numpy as np
import pandas as pd
import pytest

from airloom.flavours.registry import as_model
from airloom.stores.model_files import read_model, write_model


@pytest.fixture(scope="session")
def frame():
    random = np.random.default_rng(3)
    rows = 120
    words = random.choice(["x", "y", "z"], rows)
    frame = pd.DataFrame({"a": random.normal(size=rows), "b": random.random(rows), "word": words})
    frame.loc[::9, "a"] = np.nan
    return frame


@pytest.fixture(scope="session")
def label(frame):
    return (frame["b"] > 0.5).to_numpy(dtype=float)


@pytest.fixture
def kept(frame, tmp_path):
    """Return a model as a night after its training gets it: saved, verified and loaded."""

    def keep(returned, target, pickle=False):
        manifest_sum = write_model(as_model(returned, target, pickle), tmp_path / "model", frame, pickle)
        return read_model(tmp_path / "model", manifest_sum)

    return keep
