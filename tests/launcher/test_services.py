import http.server
import os
import socket
import threading
import time
from contextlib import contextmanager

import pytest

from airloom.core.errors import SetupError
from airloom.core.settings import Settings
from airloom.launcher import waiting
from airloom.launcher.health import unhealthy_airflow, unhealthy_mlflow
from airloom.launcher.ports import Ports
from airloom.launcher.process import Background
from airloom.launcher.services import Services


@contextmanager
def answering(body, status=200):
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_):
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield Ports(airflow=server.server_port, mlflow=server.server_port)
        server.shutdown()
        thread.join()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


HEALTHY = """{
    "metadatabase": {"status": "healthy"},
    "scheduler": {"status": "healthy", "latest_scheduler_heartbeat": "2026-01-01T00:00:10+00:00"},
    "triggerer": {"status": null, "latest_triggerer_heartbeat": null}
}"""
HEARTBEAT = 1767225610.0


def test_a_component_without_heartbeat_is_not_healthy():
    with answering(HEALTHY) as ports:
        assert unhealthy_airflow(ports, {}) == ["triggerer"]


def test_the_heartbeat_of_an_earlier_scheduler_does_not_count():
    with answering(HEALTHY) as ports:
        assert unhealthy_airflow(ports, {"scheduler": HEARTBEAT + 1}) == ["scheduler", "triggerer"]
        assert unhealthy_airflow(ports, {"scheduler": HEARTBEAT - 1}) == ["triggerer"]


@pytest.mark.parametrize(("body", "status"), [("not json", 200), ("{}", 500)])
def test_a_server_that_answers_nonsense_is_not_healthy(body, status):
    with answering(body, status) as ports:
        assert unhealthy_airflow(ports, {}) == ["api-server"]


def test_a_server_that_does_not_answer_is_not_healthy():
    ports = Ports(airflow=free_port(), mlflow=free_port())
    assert unhealthy_airflow(ports, {}) == ["api-server"]
    assert unhealthy_mlflow(ports) == ["mlflow"]


def services(tmp_path, ports):
    return Services(Settings(project=tmp_path, var=tmp_path / "var", state_url="sqlite://"), ports)


def test_nothing_is_started_when_a_port_is_busy(tmp_path):
    with answering("") as busy:
        servers = services(tmp_path, Ports(airflow=free_port(), mlflow=busy.mlflow))
        with pytest.raises(SetupError, match="MLflow"):
            servers.start(lambda text: None)
    assert servers.running() == []


def wait_for(condition):
    deadline = time.monotonic() + 600
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def started(servers, codes):
    """Start what stands in for each server."""
    for server in servers.all:
        substitute = Background(server.name, ("-c", codes[server.name]), server.folder, 0.5)
        substitute.start(dict(os.environ), server.folder)


def test_a_start_goes_on_while_servers_live_and_log_and_ends_when_they_stand_still(tmp_path, monkeypatch):
    """Nothing answers; the scheduler logs for two seconds, and the limit without progress is one."""
    monkeypatch.setattr(waiting, "STALLED_SECONDS", 1.0)
    servers, reports = services(tmp_path, Ports(airflow=free_port(), mlflow=free_port())), []
    (tmp_path / "var").mkdir()
    logging = "import time\nfor _ in range(20): print('.', flush=True); time.sleep(0.15)\ntime.sleep(60)"
    started(
        servers,
        {
            server.name: logging if server.name == "api-server" else "import time; time.sleep(60)"
            for server in servers.all
        },
    )
    try:
        began = time.monotonic()
        with pytest.raises(SetupError, match="api-server, mlflow did not become healthy"):
            servers._wait_until_healthy(reports.append)
        assert time.monotonic() - began > 2.5
        assert reports[0] == "waiting for api-server, mlflow"
    finally:
        servers.stop()


def test_a_server_that_cannot_start_ends_the_start_with_its_last_lines(tmp_path):
    servers = services(tmp_path, Ports(airflow=free_port(), mlflow=free_port()))
    (tmp_path / "var").mkdir()
    started(servers, {server.name: "import time; time.sleep(60)" for server in servers.all} | {"scheduler": "1 / 0"})
    try:
        with pytest.raises(SetupError, match="scheduler ended while it was starting") as caught:
            servers._wait_until_healthy(lambda text: None)
        assert "ZeroDivisionError" in caught.value.found
    finally:
        servers.stop()
    assert servers.running() == []


def test_what_a_killed_keeper_has_left_behind_is_ended_before_its_server_is_started(tmp_path):
    with answering("") as busy:
        servers = services(tmp_path, Ports(airflow=busy.airflow, mlflow=free_port()))
        (tmp_path / "var").mkdir()
        api_server = servers.servers[0]
        started(servers, {server.name: "import time; time.sleep(60)" for server in servers.all})
        try:
            wait_for(lambda: len(api_server.session()) == 2)
            api_server.process().kill()
            wait_for(lambda: api_server.process() is None)
            assert len(api_server.session()) == 1
            # Its port is busy by itself.
            servers.require_ports()
        finally:
            servers.stop()
        assert api_server.session() == []


def test_stopping_what_does_not_run_is_fine(tmp_path):
    assert services(tmp_path, Ports()).stop() == 0


def test_two_commands_do_not_start_the_same_installation_at_once(tmp_path):
    servers = services(tmp_path, Ports())
    with servers._alone(), pytest.raises(SetupError, match="Another command"):
        servers.stop()


def test_where_mlflow_has_a_server_none_is_started(tmp_path):
    settings = Settings(project=tmp_path, var=tmp_path / "var", state_url="", tracking_url="http://mlflow:5000")
    assert [server.name for server in Services(settings, Ports()).servers] == ["api-server"]


def test_no_command_line_holds_the_password_of_the_state_database(tmp_path):
    url = "postgresql+psycopg://ann:secret@db/airloom"
    servers = Services(Settings(project=tmp_path, var=tmp_path / "var", state_url=url), Ports()).all
    assert "secret" not in str([server.command for server in servers])
    assert [server.name for server in servers if url in server.variables.values()] == ["mlflow"]
