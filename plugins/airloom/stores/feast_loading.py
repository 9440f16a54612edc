"""The one door to Feast: imports it without what costs time or leaves something behind."""

from __future__ import annotations

import importlib
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any, cast

#: Feast sets these to a folder of its own making and expects a server that cleans up behind it; a task is none.
_METRICS_FOLDERS = ("PROMETHEUS_MULTIPROCESS_DIR", "PROMETHEUS_MULTIPROC_DIR")


def load_feast() -> None:
    """Import Feast so that its metrics stay in memory, and processes started from here do not inherit a folder.

    prometheus_client decides at import whether metrics are files; imported first, without the variables, they are not.
    """
    if "feast" in sys.modules:
        return
    importlib.import_module("prometheus_client")
    before = {name: os.environ.get(name) for name in _METRICS_FOLDERS}
    os.environ.update(dict.fromkeys(_METRICS_FOLDERS, tempfile.gettempdir()))
    try:
        with _unchecked_types(), _without_torch():
            importlib.import_module("feast")
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


@contextmanager
def _unchecked_types() -> Iterator[None]:
    """Keep typeguard from rewriting the functions of Feast.

    It parses and compiles a module's source once for each of its functions, three of the six seconds that importing
    Feast takes. What Airloom gives to Feast is checked by mypy.
    """
    typeguard = importlib.import_module("typeguard")
    checked = typeguard.typechecked
    typeguard.typechecked = _as_it_is  # type: ignore[attr-defined]
    try:
        yield
    finally:
        typeguard.typechecked = checked  # type: ignore[attr-defined]


def _as_it_is(target: Callable[..., Any]) -> Callable[..., Any]:
    return target


@contextmanager
def _without_torch() -> Iterator[None]:
    """Let Feast go without torch, which it imports for conversions that Airloom does not use.

    A package that `sys.modules` holds as None cannot be imported, and is passed over. Afterwards it can again.
    """
    passed_over = "torch" not in sys.modules
    if passed_over:
        sys.modules["torch"] = cast(ModuleType, None)
    try:
        yield
    finally:
        if passed_over:
            sys.modules.pop("torch", None)
