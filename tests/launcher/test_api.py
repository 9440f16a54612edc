"""Where Airflow is asked, and where people look at it; what its answers are taken for."""

import http.server
import json
import threading
from datetime import date, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest

from airloom.core.settings import Settings
from airloom.launcher.api import AirflowApi, Range
from airloom.launcher.environment import secrets_of
from airloom.launcher.ports import Ports


@pytest.mark.parametrize(
    ("given", "asked", "pages"),
    [
        ({}, "http://127.0.0.1:18081", "http://127.0.0.1:18081"),
        ({"AIRLOOM_AIRFLOW_URL": "http://me:hush@api:8080"}, "http://me:hush@api:8080", "http://api:8080"),
        (
            {"AIRLOOM_AIRFLOW_URL": "http://api:8080", "AIRFLOW__API__BASE_URL": "https://airflow.example"},
            "http://api:8080",
            "https://airflow.example",
        ),
    ],
    ids=["one machine", "servers", "behind a proxy"],
)
def test_people_are_sent_to_the_address_that_their_browser_reaches(tmp_path, monkeypatch, given, asked, pages):
    for name in ("AIRLOOM_AIRFLOW_URL", "AIRFLOW__API__BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    api = AirflowApi(Settings(tmp_path, tmp_path / "var", ""), Ports(airflow=18081))
    assert (api.url, api.pages) == (asked, pages)


class Runs(http.server.BaseHTTPRequestHandler):
    """Answers as Airflow does that has these runs, by logical date."""

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.answer({"access_token": "token"})

    def do_GET(self):
        asked = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
        first, last = (datetime.fromisoformat(asked[f"logical_date_{end}"]) for end in ("gte", "lte"))
        found = [each for each in sorted(self.server.runs) if first <= datetime.fromisoformat(each) <= last]
        page = found[int(asked["offset"]) :][: int(asked["limit"])]
        self.answer({"dag_runs": [run(each) for each in page], "total_entries": len(found)})

    def answer(self, content):
        body = json.dumps(content).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Say nothing."""


def run(logical_date):
    names = dict.fromkeys(("dag_display_name", "dag_id", "dag_run_id"), "some")
    moments = {"logical_date": logical_date, "run_after": logical_date}
    return {**names, **moments, "dag_versions": [], "run_type": "manual", "state": "success"}


@pytest.fixture
def airflow(tmp_path, monkeypatch):
    """Airflow's API, over a server whose runs a test sets."""
    settings = Settings(tmp_path, tmp_path / "var", "")
    secrets_of(settings).create()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Runs) as server:
        monkeypatch.setenv("AIRLOOM_AIRFLOW_URL", f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield AirflowApi(settings, Ports()), server
        server.shutdown()
        thread.join()


def test_days_are_counted_and_not_runs_at_other_moments(airflow):
    api, server = airflow
    server.runs = ["2024-01-05T00:00:00+00:00", "2024-01-05T18:30:00+00:00", "2024-01-06T14:05:06.789000+00:00"]
    assert api.count_runs("d", Range(date(2024, 1, 4), date(2024, 1, 7))) == 1


def test_the_days_of_years_are_counted(airflow):
    api, server = airflow
    first = date(2022, 1, 1)
    server.runs = [f"{first + timedelta(days=number)}T00:00:00+00:00" for number in range(250)]
    server.runs += [f"{first + timedelta(days=number)}T12:00:00+00:00" for number in range(0, 250, 7)]
    assert api.count_runs("d", Range(first, date(2024, 1, 1))) == 250
