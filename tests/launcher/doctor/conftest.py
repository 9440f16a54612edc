"""A copy of the prepared installation for every test, which may break it; its servers do not run."""

import http.server
import os
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
from tests.worlds.installation import PROJECT, settings_at
from tests.worlds.prepared import copy_of, own_environment

# Before any test module imports it: no metrics folder is left behind.
load_feast()


@dataclass(frozen=True)
class Installed:
    """An installation in a folder of its own."""

    folder: Path

    @property
    def settings(self):
        return settings_at(self.folder, project=self.folder / "project")

    @property
    def secrets(self):
        return secrets_of(self.settings)

    def environment(self, **more):
        """The environment of a command; nothing of this process's own installation is in it."""
        places = {"AIRLOOM_PROJECT": str(self.settings.project), "AIRLOOM_VAR": str(self.settings.var)}
        ports = {"AIRLOOM_AIRFLOW_PORT": str(free_port()), "AIRLOOM_MLFLOW_PORT": str(free_port())}
        return own_environment(**{**places, **ports, "PYTHONPATH": str(PROJECT / "plugins"), **more})

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


@pytest.fixture
def installed(prepared_installation, tmp_path, own_include):
    """An installation of one's own."""
    return Installed(copy_of(prepared_installation, tmp_path / "installed"))


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
