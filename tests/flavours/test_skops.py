"""The door to skops brings in no more than skops needs, and skops trusts what it does without the door."""

import json
import os
import subprocess
import sys

REPORT = """
import json, sys, warnings
if sys.argv[1] == "door":
    from airloom.flavours.estimator_files import load_skops
    load_skops()
    loaded = [name for name in ("torch", "dask") if name in sys.modules]
    left = [name for name, module in sys.modules.items() if module is None]
    import sklearn.externals.array_api_compat.torch
else:
    warnings.simplefilter("ignore")
    import skops.io
    loaded = left = []
from skops.io import _trusted_types
trusted = {name: sorted(types) for name, types in vars(_trusted_types).items() if name.endswith("_NAMES")}
print(json.dumps({"loaded": loaded, "left": left, "trusted": trusted}))
"""


def report(way):
    run = subprocess.run(
        [sys.executable, "-c", REPORT, way],
        capture_output=True,
        text=True,
        timeout=240,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout.splitlines()[-1])


def test_importing_skops_brings_in_neither_torch_nor_dask_and_trusts_the_same_types():
    door = report("door")
    assert (door["loaded"], door["left"]) == ([], [])
    assert door["trusted"] == report("direct")["trusted"]
    assert len(door["trusted"]["SKLEARN_ESTIMATOR_TYPE_NAMES"]) > 200


def test_the_name_that_projects_import_leads_to_the_same_functions():
    from airloom.flavours import estimator_files, network_files
    from airloom.stores import safe_formats

    assert safe_formats.load_estimator is estimator_files.load_estimator
    assert safe_formats.load_weights is network_files.load_weights
