"""The one door to Feast: imports it without the metrics files that it would otherwise leave behind."""

from __future__ import annotations

import importlib
import os
import tempfile

#: Feast sets these to a folder of its own making and expects a server that cleans up behind it; a task is none.
_METRICS_FOLDERS = ("PROMETHEUS_MULTIPROCESS_DIR", "PROMETHEUS_MULTIPROC_DIR")


def load_feast() -> None:
    """Import Feast so that its metrics stay in memory, and processes started from here do not inherit a folder.

    prometheus_client decides at import whether metrics are files; imported first, without the variables, they are not.
    """
    importlib.import_module("prometheus_client")
    before = {name: os.environ.get(name) for name in _METRICS_FOLDERS}
    os.environ.update(dict.fromkeys(_METRICS_FOLDERS, tempfile.gettempdir()))
    try:
        importlib.import_module("feast")
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
