"""Preloading happens in the process that forks tasks: what it starts there would not survive the fork."""

import os
import subprocess
import sys

import pytest

from airloom.scheduling import preload

REPORT = """
import os, sys, threading
from airloom.scheduling.preload import preload
preload()
print("THREADS", [thread.name for thread in threading.enumerate()], "torch" in sys.modules, "feast" in sys.modules)
print("TASKS", "airloom.operators.train" in sys.modules, "airloom.steps.score" in sys.modules)
clients = ("psycopg", "redis")
print("CLIENTS", [name in sys.modules for name in clients])
print("METRICS", [name for name in os.environ if name.startswith("PROMETHEUS")])
"""


SERVERS = {
    "AIRLOOM_STATE_URL": "postgresql+psycopg://me@127.0.0.1/airloom",
    "AIRLOOM_ONLINE_URL": "redis://127.0.0.1/1",
    "AIRLOOM_TRACKING_URL": "http://127.0.0.1:5000",
    "AIRLOOM_STORAGE_URL": "s3://airloom/production",
}


@pytest.mark.parametrize("servers", [{}, SERVERS], ids=["one machine", "servers"])
def test_preloading_starts_no_thread_and_leaves_no_trace_in_the_environment(servers):
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PROMETHEUS")} | servers
    run = subprocess.run(
        [sys.executable, "-c", REPORT],
        capture_output=True,
        text=True,
        timeout=240,
        env=clean | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert "THREADS ['MainThread'] True True" in run.stdout, run.stderr
    assert "TASKS True True" in run.stdout
    assert f"CLIENTS {[bool(servers)] * 2}" in run.stdout
    assert "METRICS []" in run.stdout


def test_only_a_component_whose_environment_asks_for_it_preloads(monkeypatch):
    asked = []
    monkeypatch.setattr(preload, "preload", lambda: asked.append(True))
    component = type("Job", (), {})()
    preload.on_starting(component)
    monkeypatch.setenv("AIRLOOM_PRELOAD", "1")
    preload.on_starting(type("TaskRunnerMarker", (), {})())
    assert asked == []
    preload.on_starting(component)
    assert asked == [True]
