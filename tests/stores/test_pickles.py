"""What runs code when it is read is recognised by its content, whatever it is called."""

import bz2
import gzip
import io
import json
import lzma
import pickle
import zipfile
import zlib

import joblib
import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from airloom.core.errors import DataError, GateError
from airloom.stores import model_files
from airloom.stores.model_files import read_model, write_model
from airloom.stores.pickles import pickles_in


def joblibs(compress):
    buffer = io.BytesIO()
    joblib.dump({"weights": np.arange(3.0)}, buffer, compress=compress)
    return buffer.getvalue()


def array(values):
    buffer = io.BytesIO()
    np.save(buffer, values, allow_pickle=True)
    return buffer.getvalue()


def archive(**members):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as opened:
        for name, data in members.items():
            opened.writestr(name, data)
    return buffer.getvalue()


def saved(what):
    buffer = io.BytesIO()
    torch.save(what, buffer)
    return buffer.getvalue()


def program():
    buffer = io.BytesIO()
    torch.jit.save(torch.jit.trace(nn.Linear(1, 1), torch.zeros(1, 1)), buffer)
    return buffer.getvalue()


class Foreign(nn.Module):
    """A module of code that is not trusted."""


MODEL = {"a": [1, 2], "b": print}
RUN_CODE = {
    **{f"protocol {number}": lambda number=number: pickle.dumps(MODEL, number) for number in range(6)},
    "joblib": lambda: joblibs(0),
    **{f"joblib {how}": lambda how=how: joblibs((how, 3)) for how in ("zlib", "gzip", "bz2", "xz", "lzma")},
    "gzip": lambda: gzip.compress(pickle.dumps(MODEL)),
    "zlib": lambda: zlib.compress(pickle.dumps(MODEL)),
    "bz2": lambda: bz2.compress(pickle.dumps(MODEL)),
    "xz": lambda: lzma.compress(pickle.dumps(MODEL)),
    "array of objects": lambda: array(np.array([{"a": 1}, None])),
    "archive of arrays": lambda: archive(**{"x.npy": array(np.arange(2)), "y.npy": array(np.array([print]))}),
    "archive of a pickle": lambda: archive(model=pickle.dumps(MODEL)),
    "torch, of before archives": lambda: _legacy(),
    "torch, foreign module": lambda: saved(Foreign()),
    "torch, function": lambda: saved({"a": print}),
    "torch, program": program,
}
HARMLESS = {
    "json": lambda: json.dumps({"a": [1, 2]}).encode(),
    "text that begins like one": lambda: b"import of goods\nclass,words\n. and more",
    "columns": lambda: b"columns\nas text\n",
    "empty": lambda: b"",
    "array": lambda: array(np.arange(3.0)),
    "archive of arrays": lambda: archive(**{"x.npy": array(np.arange(2))}),
    "torch, weights": lambda: saved({"weight": torch.zeros(2)}),
    "torch, module": lambda: saved(nn.Linear(1, 1)),
    "gzip": lambda: gzip.compress(b"tree\nversion=v4\n"),
    "begins with x": lambda: b"x,y\n1,2\n",
}


def _legacy():
    buffer = io.BytesIO()
    torch.save({"weight": torch.zeros(2)}, buffer, _use_new_zipfile_serialization=False)
    return buffer.getvalue()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("content", RUN_CODE.values(), ids=RUN_CODE)
def test_what_runs_code_is_found(content, tmp_path):
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "model.json").write_bytes(content())
    (tmp_path / "facts.json").write_text("{}")
    assert pickles_in(tmp_path) == ["inner/model.json"]


@pytest.mark.parametrize("content", HARMLESS.values(), ids=HARMLESS)
def test_what_runs_none_is_left_alone(content, tmp_path):
    (tmp_path / "model.pkl").write_bytes(content())
    assert pickles_in(tmp_path) == []


class Pickled:
    """A model that keeps itself as a pickle."""

    def predict(self, frame):
        return np.full(len(frame), 0.5)

    def save(self, folder):
        joblib.dump(self, folder / "m.bin")

    @classmethod
    def load(cls, folder):
        return joblib.load(folder / "m.bin")


ROWS = pd.DataFrame({"a": [1.0, 2.0]})


def test_a_model_that_keeps_a_pickle_is_refused_unless_that_is_allowed(tmp_path):
    with pytest.raises(DataError, match=r"(?s)run code.*m\.bin.*artifacts: \{pickle: allow\}"):
        write_model(Pickled(), tmp_path / "refused", ROWS)
    manifest_sum = write_model(Pickled(), tmp_path / "allowed", ROWS, pickle=True)
    assert read_model(tmp_path / "allowed", manifest_sum).predict(ROWS).tolist() == [0.5, 0.5]


def test_a_pickle_of_a_version_of_before_is_not_loaded(tmp_path, monkeypatch):
    """Versions that were registered before pickles were looked for have none in their manifests."""
    with monkeypatch.context() as before:
        before.setattr(model_files, "pickles_in", lambda folder: [])
        manifest_sum = write_model(Pickled(), tmp_path / "model", ROWS)
    monkeypatch.setattr(Pickled, "load", lambda folder: pytest.fail("loaded"))
    with pytest.raises(GateError, match="nothing was loaded"):
        read_model(tmp_path / "model", manifest_sum)


class Forgetful(Pickled):
    """A model that forgets what it has learned when it is saved."""

    learned = 0.5

    def predict(self, frame):
        return np.full(len(frame), self.learned)

    def save(self, folder):
        (folder / "nothing.json").write_text("{}")

    @classmethod
    def load(cls, folder):
        return cls()


def test_a_model_that_predicts_otherwise_once_it_is_loaded_is_refused(tmp_path):
    model = Forgetful()
    write_model(model, tmp_path / "before", ROWS)
    model.learned = 0.7
    with pytest.raises(DataError, match=r"(?s)other values after it was saved and loaded.*differ by up to 0\.2"):
        write_model(model, tmp_path / "after", ROWS)


def test_a_class_within_a_function_is_refused(tmp_path):
    class Local(Forgetful):
        pass

    with pytest.raises(DataError, match="top level of a module"):
        write_model(Local(), tmp_path / "model", ROWS)
