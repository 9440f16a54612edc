"""Importing Feast by the one door brings in nothing that costs time and is not used, and leaves nothing behind."""

import json
import os
import subprocess
import sys

REPORT = """
import json, os, sys
import typeguard
checked = typeguard.typechecked
from airloom.stores.feast_loading import load_feast
load_feast()
from feast import Entity, FeatureView
kinds = (Entity, FeatureView)
rewritten = [kind.__name__ for kind in kinds if "typeguard" in kind.__init__.__code__.co_names]
told = {
    "rewritten": rewritten,
    "loaded": [name for name in ("torch", "dask") if name in sys.modules],
    "left": [name for name, module in sys.modules.items() if module is None],
    "metrics": [name for name in os.environ if name.startswith("PROMETHEUS")],
    "typeguard": typeguard.typechecked is checked,
}
import torch
print(json.dumps(told))
"""


def test_importing_feast_rewrites_no_function_brings_no_torch_and_leaves_nothing_behind():
    done = subprocess.run(
        [sys.executable, "-c", REPORT],
        capture_output=True,
        text=True,
        timeout=600,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert told == {"rewritten": [], "loaded": [], "left": [], "metrics": [], "typeguard": True}
