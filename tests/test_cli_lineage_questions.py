"""`airloom trace` and `airloom impact` over events written by hand, and a lake with one day of predictions."""

import json
from datetime import date

import pyarrow as pa
import pytest
from typer.testing import CliRunner

from airloom.cli import app
from airloom.cli.console import console
from airloom.core.errors import DataError, UsageError
from airloom.core.partitions import day_range
from airloom.core.settings import Settings
from airloom.stores.lake import Lake, PartitionVersion
from tests.lineage.written import E, Log, chain
from tests.worlds.late_labels.days import PROJECT, arrive, declared, installed

DAY = date.fromisoformat(E)

# The version of predictions is what the events of the chain call it.
pytestmark = pytest.mark.other_content


@pytest.fixture(autouse=True)
def settings(tmp_path, monkeypatch):
    monkeypatch.setenv("AIRLOOM_VAR", str(tmp_path / "var"))
    monkeypatch.setattr(console, "width", 200)
    return Settings.from_environment()


@pytest.fixture
def told(settings):
    """The events of the chain under the name of the pipeline, and its predictions in the lake."""
    log = chain()
    settings.delivery.mkdir(parents=True)
    log.write(settings.lineage)
    settings.lineage.write_text(settings.lineage.read_text().replace('"p/', '"flight_delays/'))
    rows = pa.table({"flight_id": ["AA1", "B62"], "score": [0.1, 0.7], "model_version": [1, 1]})
    Lake(settings.lake / "flight_delays").replace("predictions", PartitionVersion(DAY, "p"), rows)


def ask(*arguments):
    return CliRunner().invoke(app, [*map(str, arguments)], catch_exceptions=True)


def refused(*arguments):
    run = ask(*arguments)
    assert run.exception is not None
    return run.exception


def test_a_trace_goes_from_the_prediction_to_the_source(told):
    lines = ask("trace", "flight_delays", DAY).output.splitlines()
    assert lines[0].startswith(f"predictions {DAY} p")
    assert [line.lstrip("│├└─ ").split()[0] for line in lines if "is done" in line][:5] == [
        "predictions",
        "model",
        "run.b",
        "training",
        "features.v",
    ]
    assert sum("source" in line for line in lines) >= 1
    assert any("manual by ada" in line for line in lines)


def test_an_unknown_key_is_told(told):
    error = refused("trace", "flight_delays", DAY, "--key", "ZZ9")
    assert isinstance(error, DataError)
    assert error.found == "ZZ9"
    assert isinstance(refused("trace", "flight_delays", DAY, "--key", "B62,3"), UsageError)


def test_a_day_without_predictions_is_told(told):
    assert "There are no predictions" in str(refused("trace", "flight_delays", "2013-03-01"))


def test_predictions_whose_events_are_lost_are_said_to_be(told, settings):
    rows = pa.table({"flight_id": ["AA1"], "score": [0.2], "model_version": [1]})
    Lake(settings.lake / "flight_delays").replace("predictions", PartitionVersion(DAY, "q"), rows)
    assert "no event tells how 1 version came to be" in ask("trace", "flight_delays", DAY).output


def test_the_impact_of_a_day_ends_in_predictions(told):
    output = ask("impact", "flight_delays", "raw.t", "2013-02-09").output
    for name in ("features.v", "training", "model", "verdict", "champion", "predictions"):
        assert name in output


def test_the_impact_of_a_model_is_what_it_has_predicted(told):
    facts = json.loads(ask("impact", "flight_delays", "model", 1, "--json").output)
    names = {node["name"] for node in facts["nodes"]}
    assert names == {f"flight_delays/{name}" for name in ("model", "verdict", "champion", "predictions")}
    assert {run["job"] for run in facts["runs"]} >= {"p.score.score", "p.train.decide"}


def test_what_nobody_has_told_of_is_refused(told):
    assert "No event tells of raw.other" in str(refused("impact", "flight_delays", "raw.other", "2013-02-09"))


def test_without_any_event_there_is_nothing_to_ask(settings):
    assert "No event of lineage" in str(refused("trace", "flight_delays", DAY))


def test_a_picture_is_written_where_it_is_wanted(told, tmp_path):
    page, picture = tmp_path / "trace.html", tmp_path / "trace.svg"
    assert ask("trace", "flight_delays", DAY, "--html", page, "--svg", picture).exit_code == 0
    assert page.read_text().startswith("<!doctype html>")
    assert picture.read_text().startswith("<svg")


@pytest.fixture
def spam(tmp_path, monkeypatch, module_include):
    """A pipeline whose labels are in the rows that are scored: its first days, and what was predicted for the first."""
    pipeline = declared("spam")
    first = pipeline.schedule.start
    settings = installed("spam", tmp_path)
    monkeypatch.setenv("AIRLOOM_PROJECT", str(PROJECT))
    arrive(pipeline, day_range(first, first + pipeline.label.matures_after), settings)
    rows = pa.table({"message_id": [f"{first}/00", f"{first}/01"], "score": [0.1, None], "model_version": [1, 1]})
    Lake(settings.lake / "spam").replace("predictions", PartitionVersion(first, "p"), rows)
    log = Log()
    log.did("score.score", "score", [], [("predictions", (str(first), "p"))])
    settings.delivery.mkdir(parents=True)
    log.write(settings.lineage)
    settings.lineage.write_text(settings.lineage.read_text().replace('"p/', '"spam/'))
    return first


def traced(*arguments):
    return json.loads(ask("trace", "spam", *arguments, "--json").output)["row"]


def test_programs_read_a_prediction_with_its_inputs_and_the_label_that_has_come_since(spam):
    row = traced(spam, "--key", f"{spam}/00")
    assert (row["message_id"], row["score"], row["model_version"]) == (f"{spam}/00", 0.1, 1)
    assert {"words", "links"} <= set(row)
    assert row["label"] in ("0.0", "1.0")
    assert row["label from"] == f"labels {spam}"
    assert traced(spam, "--key", f"{spam}/01")["score"] is None


def test_a_label_of_its_own_row_is_traced_by_the_key_of_the_row(spam):
    row = traced(spam, "--dataset", "labels", "--key", f"{spam}/00")
    assert row["message_id"] == f"{spam}/00"
    assert row["spam"] in (0, 1)
    assert "words" not in row
