"""A prepared installation, whose servers do not run: made once, and copied for every test, which may break it."""

import http.server
import os
import shutil
import subprocess
import sys
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from airloom.core.settings import Settings
from airloom.launcher.doctor.examination import examine
from airloom.launcher.doctor.subject import Subject
from airloom.launcher.environment import secrets_of
from airloom.launcher.ports import Ports
from airloom.stores.feast_loading import load_feast
from tests.servers.process import free_port

# Before any test module imports it: no metrics folder is left behind.
load_feast()

PROJECT = Path(__file__).parents[3]
PREPARE = """
import os
from airloom.core.settings import Settings
from airloom.launcher.environment import environment
from airloom.launcher.ports import Ports
from airloom.launcher.prepare import prepare

settings, ports = Settings.from_environment(), Ports.from_environment()
os.environ.update(environment(settings, ports))
prepare(settings, ports, print)
"""


@dataclass(frozen=True)
class Installed:
    """An installation in a folder of its own."""

    folder: Path

    @property
    def settings(self):
        var = self.folder / "var"
        return Settings(self.folder / "project", var, f"sqlite:///{var / 'state' / 'airloom.db'}")

    @property
    def secrets(self):
        return secrets_of(self.settings)

    def environment(self, **more):
        """The environment of a command; nothing of this process's own installation is in it."""
        own = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "AIRLOOM"))}
        places = {"AIRLOOM_PROJECT": str(self.settings.project), "AIRLOOM_VAR": str(self.settings.var)}
        ports = {"AIRLOOM_AIRFLOW_PORT": str(free_port()), "AIRLOOM_MLFLOW_PORT": str(free_port())}
        return {**own, **places, **ports, "PYTHONPATH": str(PROJECT / "plugins"), **more}

    def subject(self, variables=None, **settings):
        """What single checks look at."""
        return Subject(Settings(**{**vars(self.settings), **settings}), Ports(), variables or {})

    def examine(self, **variables):
        """Every check, in this process."""
        before, given = dict(os.environ), self.environment(**variables)
        try:
            os.environ.clear()
            os.environ.update(given)
            return examine()
        finally:
            os.environ.clear()
            os.environ.update(before)


@pytest.fixture(scope="session")
def template(tmp_path_factory):
    """An installation that no test changes."""
    installed = Installed(tmp_path_factory.mktemp("installed"))
    project = installed.settings.project
    project.mkdir()
    for name in ("config", "dags", "plugins", "requirements.txt"):
        (project / name).symlink_to(PROJECT / name)
    shutil.copytree(PROJECT / "include", project / "include", ignore=shutil.ignore_patterns("__pycache__"))
    command = [sys.executable, "-W", "ignore", "-c", PREPARE]
    subprocess.run(command, env=installed.environment(), check=True, capture_output=True, timeout=600)
    return installed


@pytest.fixture
def installed(template, tmp_path):
    """An installation of one's own."""
    shutil.copytree(template.folder, tmp_path / "installed", symlinks=True)
    return Installed(tmp_path / "installed")


@pytest.fixture
def answering():
    """A server that answers everything alike: `with answering(401) as url`."""
    return _answering


@contextmanager
def _answering(status, body=""):
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.server.asked.append(dict(self.headers))
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_):
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.asked = []
        server.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()
