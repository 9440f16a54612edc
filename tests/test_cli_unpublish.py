"""The command `airloom unpublish`."""

import json

import pyarrow as pa
import pytest
from typer.testing import CliRunner

from airloom.cli import app
from airloom.cli.console import console
from airloom.core.errors import DataError, UsageError
from airloom.stores.lake import Lake
from tests.worlds.feature_lake import DAY
from tests.worlds.installation import publish, settings_at
from tests.worlds.late_labels.days import PROJECT

pytestmark = pytest.mark.usefixtures("module_include")


@pytest.fixture
def settings(tmp_path, monkeypatch):
    settings = settings_at(tmp_path, project=PROJECT)
    publish(settings, "churn", "raw.customers", DAY, pa.table({"customer_id": ["a", "b"]}))
    monkeypatch.setenv("AIRLOOM_PROJECT", str(settings.project))
    monkeypatch.setenv("AIRLOOM_VAR", str(settings.var))
    monkeypatch.setenv("LOGNAME", "ann")
    monkeypatch.setattr(console, "width", 120)
    return settings


def run(*options):
    return CliRunner().invoke(app, ["unpublish", "churn", *options], catch_exceptions=False).output


def published(settings):
    return list(Lake(settings.lake / "churn").partitions("raw.customers"))


def test_it_says_what_was_taken_back_and_how_to_publish_it_again(settings):
    told = run("customers", "--day", str(DAY), "--reason", "shifted by a row", "--yes")
    assert f"taken back  raw.customers of {DAY}, 2 rows, version " in told
    assert "by          ann on " in told
    assert "why         shifted by a row" in told
    assert "readable    as of commit 0 of raw.customers, until airloom vacuum removes it" in told
    assert "made stale  nothing: nothing was built on it" in told
    assert f"again       airloom run churn --stage ingest --day {DAY}" in told
    assert published(settings) == []


def test_programs_get_the_same_as_json(settings):
    found = json.loads(run("raw.customers", "--day", str(DAY), "--yes", "--json"))
    assert (found["table"], found["partition"], found["rows"], found["built"]) == ("raw.customers", str(DAY), 2, [])
    assert (found["actor"], found["reason"]) == ("ann", "")


def test_nothing_is_done_without_consent(settings):
    with pytest.raises(UsageError, match=r"This takes raw\.customers of") as refused:
        run("customers", "--day", str(DAY))
    assert "--yes" in refused.value.do
    assert published(settings) == [DAY]


def test_who_and_why_are_in_the_ledger_and_in_the_status(settings):
    run("customers", "--day", str(DAY), "--reason", "shifted by a row", "--yes")
    status = CliRunner().invoke(app, ["status", "churn"], catch_exceptions=False).output
    assert f"withdrawn raw.customers {DAY} by ann on" in status
    ledger = json.loads(CliRunner().invoke(app, ["ledger", "churn", "--json"], catch_exceptions=False).output)
    assert [(note["kind"], note["actor"], note["reason"]) for note in ledger["notes"]] == [
        ("withdrawing", "ann", "shifted by a row"),
        ("withdrawn", "ann", "shifted by a row"),
    ]


def test_a_day_that_is_not_published_is_refused(settings):
    with pytest.raises(DataError, match="is not published"):
        run("profiles", "--day", str(DAY), "--yes")
