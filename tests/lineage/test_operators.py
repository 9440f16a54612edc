"""What every operator tells at its start, its end and when it fails: the expected events are files, to be read."""

import json
import os
from datetime import UTC, datetime
from pathlib import Path

import jsonschema
import pytest
from airflow.sdk import DAG

from airloom.core.settings import Settings
from airloom.lineage.custom import PARTITION, RUN, TRAINING, VERDICT, schema_of
from airloom.operators.ingest import ValidateOperator
from tests.lineage.emitted import STATES, Emitter
from tests.lineage.examples import DAY, PIPELINE, records
from tests.lineage.valid import require_valid
from tests.operators.every_operator import OPERATORS, build
from tests.worlds.flights import FOLDER

EXPECTED = Path(__file__).with_name("expected")
#: Set it to write the files anew, and read them before they are kept.
WRITE = "AIRLOOM_WRITE_EXPECTED_EVENTS"
WAITS = ("AwaitInputsOperator", "AwaitVerdictsOperator")


@pytest.fixture
def settings(tmp_path, monkeypatch):
    var = tmp_path / "var"
    monkeypatch.setenv("AIRLOOM_VAR", str(var))
    monkeypatch.setenv("AIRLOOM_PROJECT", str(FOLDER))
    monkeypatch.delenv("AIRLOOM_STATE_URL", raising=False)
    return Settings.from_environment()


@pytest.fixture
def emitter(tmp_path):
    return Emitter(tmp_path / "events.ndjson")


def task_of(operator, settings, state):
    with DAG(f"{PIPELINE}.stage", schedule=None, start_date=datetime(2013, 1, 1, tzinfo=UTC)):
        task = build(operator, pipeline=PIPELINE, partition=DAY.isoformat())
    if state == "COMPLETE" and operator.__name__ not in WAITS:
        task.record = records(settings)[operator.__name__]
    return task


def ours(event):
    """Leave out what Airflow's provider, its version and the project's commit add."""
    text = json.dumps(event, sort_keys=True)
    event = json.loads(text)
    run = event["run"]["facets"]
    kept = {name: run[name] for name in sorted(run) if name.startswith("airloom_") or name == "errorMessage"}
    if "code" in kept[RUN] and kept[RUN]["code"]:
        kept[RUN]["code"] = "the commit"
        kept[RUN]["declaration"] = "the digest"
    datasets = {side: event.get(side, []) for side in ("inputs", "outputs")}
    return _without_producer({"eventType": event["eventType"], "job": event["job"]["name"], "run": kept, **datasets})


def _without_producer(value):
    if isinstance(value, dict):
        return {
            name: _without_producer(each) for name, each in value.items() if name not in ("_producer", "_schemaURL")
        }
    return [_without_producer(each) for each in value] if isinstance(value, list) else value


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("operator", OPERATORS, ids=lambda operator: operator.__name__)
def test_an_operator_tells_what_is_expected(operator, state, settings, emitter):
    event = emitter.emit(task_of(operator, settings, state), state, error="it did not work")
    file = EXPECTED / f"{operator.__name__}.{state}.json"
    if os.environ.get(WRITE):
        file.write_text(json.dumps(ours(event), indent=1, sort_keys=True) + "\n")
    assert ours(event) == json.loads(file.read_text())


@pytest.mark.parametrize("operator", OPERATORS, ids=lambda operator: operator.__name__)
def test_our_facets_are_what_their_schemas_say(operator, settings, emitter):
    event = emitter.emit(task_of(operator, settings, "COMPLETE"), "COMPLETE")
    found = {**event["run"]["facets"]}
    for dataset in (*event["inputs"], *event["outputs"]):
        jsonschema.validate(dataset["facets"][PARTITION], schema_of(PARTITION))
    for name in {RUN, TRAINING, VERDICT} & found.keys():
        jsonschema.validate(found[name], schema_of(name))
        assert found[name]["_schemaURL"] == schema_of(name)["$id"]
    assert RUN in found


def test_a_table_that_was_blocked_is_told_with_what_it_failed(settings, emitter):
    event = emitter.emit(task_of(ValidateOperator, settings, "COMPLETE"), "FAIL", error="planes is blocked")
    [read] = event["inputs"]
    failed = [each for each in read["inputFacets"]["dataQualityAssertions"]["assertions"] if not each["success"]]
    assert [(each["column"], each["severity"]) for each in failed] == [("seats", "warning")]


def test_every_event_is_what_the_clients_models_say(settings, emitter):
    for operator in OPERATORS:
        for state in STATES:
            require_valid(emitter.emit(task_of(operator, settings, state), state, error="it did not work"))
