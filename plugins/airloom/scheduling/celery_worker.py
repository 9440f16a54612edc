"""Imported by Celery's processes: a worker whose environment asks for it loads the libraries of all its tasks first."""

from __future__ import annotations

import os
from typing import Any

from celery.signals import worker_init

from airloom.scheduling.preload import preload


@worker_init.connect
def load(**_: Any) -> None:
    """Preload before the worker forks the processes that run tasks."""
    if os.environ.get("AIRLOOM_PRELOAD") == "1":
        preload()
