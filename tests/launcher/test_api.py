"""Where Airflow is asked, and where people look at it."""

import pytest

from airloom.core.settings import Settings
from airloom.launcher.api import AirflowApi
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
