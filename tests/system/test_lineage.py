"""What the events of the chain tell: of a range, its repetition, corrupted days and corrections."""

import json
import sqlite3
from datetime import timedelta

import pytest

from airloom.lineage.events import Version, read_events, runs_of
from airloom.lineage.graph import Graph
from airloom.lineage.walk import impact, trace
from airloom.stores.lake import Lake
from tests.lineage.valid import require_valid
from tests.system.installation import PIPELINE, day

pytestmark = [pytest.mark.system, pytest.mark.timeout(3600)]


@pytest.fixture(scope="module")
def events(repaired):
    return repaired.events


@pytest.fixture(scope="module")
def graph(events):
    return Graph(runs_of(events))


@pytest.fixture(scope="module")
def predictions(repaired):
    """The predictions that were published then."""
    published = repaired.lake["predictions"]
    return [node("predictions", day.isoformat(), each.version) for day, each in published.items()]


def node(name, day="", version=""):
    return Version(f"{PIPELINE}/{name}", day, version)


def reached(branch):
    """Every version in a walk, with the run that made it."""
    found = {version: made.run if made else None for version, made in branch.found}
    for each in branch.branches:
        found |= reached(each)
    return found


def test_every_prediction_leads_back_to_the_source_of_every_day_that_it_was_made_of(graph, predictions):
    assert len(predictions) >= 4
    for prediction in predictions:
        found = reached(trace(graph, prediction))
        untold = {version for version, run in found.items() if run is None and version.name != f"{PIPELINE}/source"}
        assert untold == set()
        kinds = {version.name.partition("/")[2].partition(".")[0] for version in found}
        assert kinds >= {"model", "champion", "training", "run", "features", "raw", "staging", "validation", "source"}
        raw = {version.partition for version in found if version.name == f"{PIPELINE}/raw.parcels"}
        assert raw == {version.partition for version in found if version.name == f"{PIPELINE}/source"}


def test_everything_that_is_published_is_in_one_connected_graph(graph, repaired):
    lake = repaired.lake
    nodes = {node(table, day.isoformat(), each.version) for table in lake for day, each in lake[table].items()}
    start = next(each for each in sorted(nodes) if each.name == f"{PIPELINE}/predictions")
    assert nodes <= connected(graph, start)


def connected(graph, start):
    """Everything that can be reached from a version, whichever way its edges lead."""
    neighbours = {}
    for run in graph.runs:
        for written in run.outputs if run.state == "complete" else ():
            for read in written.inputs:
                neighbours.setdefault(read, set()).add(written.version)
                neighbours.setdefault(written.version, set()).add(read)
    seen, left = set(), [start]
    while left:
        if (version := left.pop()) not in seen:
            seen.add(version)
            left.extend(neighbours.get(version, ()))
    return seen


def test_no_future_leaks_into_what_was_known(graph, predictions):
    for prediction in predictions:
        for version in reached(trace(graph, prediction)):
            assert version.partition <= prediction.partition


def test_a_day_reaches_the_features_of_its_window_and_the_predictions_made_of_them(graph, repaired):
    bad = day(3)
    lake = repaired.lake
    version = node("raw.parcels", bad.isoformat(), lake["raw.parcels"][bad].version)
    found = {(each.name.partition("/")[2], each.partition) for each in reached(impact(graph, [version]))}
    assert ("features.courier_delays", (bad + timedelta(days=1)).isoformat()) in found
    assert ("predictions", (bad + timedelta(days=1)).isoformat()) in found
    assert not any(partition and partition < bad.isoformat() for _, partition in found)


def test_the_graph_tells_the_columns_of_a_score_down_to_the_raw_ones(events):
    read = {}
    for event in events:
        for output in event.get("outputs", []):
            for column, field in output["facets"].get("columnLineage", {}).get("fields", {}).items():
                sources = {(each["name"], each["field"]) for each in field["inputFields"]}
                read.setdefault((output["name"], column), set()).update(sources)
    seen, left = set(), [(f"{PIPELINE}/predictions", "airloom_score")]
    while left:
        if (column := left.pop()) not in seen:
            seen.add(column)
            left.extend(read.get(column, ()))
    wanted = {("model", "score"), ("training", "late"), ("features.courier_delays", "courier_late_rate_3d")}
    wanted |= {("raw.parcels", "delay"), ("raw.traffic", "speed"), ("staging.parcels", "late")}
    assert {(f"{PIPELINE}/{name}", column) for name, column in wanted} <= seen


def test_every_event_is_what_its_models_and_schemas_say(events):
    for event in events:
        require_valid(event)


def test_a_backend_has_accepted_every_event(installation, backend, repaired):
    installation.airloom("lineage", "resend")
    events = list(read_events(installation.settings.lineage))
    assert set(backend.statuses()) == {(event["eventType"], event["run"]["runId"]) for event in events}
    state = json.loads(installation.airloom("lineage", "status", "--json").stdout)
    assert (state["events"], state["unsent"], state["refused"]) == (len(events), 0, {})


def test_every_task_hangs_below_its_dag_run(events):
    dag_runs = {event["run"]["runId"] for event in events if "airflowDagRun" in event["run"]["facets"]}
    for event in events:
        if "airloom_run" in event["run"]["facets"]:
            parent = event["run"]["facets"]["parent"]
            assert {parent["run"]["runId"], parent["root"]["run"]["runId"]} <= dag_runs


def test_a_bad_day_is_told_with_the_severity_of_what_it_failed(graph):
    failed = [each for run in graph.runs for each in run.quality if run.partition == "2024-01-06"]
    assert ("expect_column_values_to_not_be_null", "critical") in {
        (each["assertion"], each["severity"]) for each in failed
    }


def test_people_read_the_same_in_a_tree_and_programs_in_json(installation, repaired):
    newest, published = max(installation.lake()["predictions"].items())
    last = node("predictions", newest.isoformat(), published.version)
    tree = installation.airloom("trace", PIPELINE, last.partition).stdout
    for words in ("raw.parcels", "training", "champion", "validation.parcels", "source", "backfill"):
        assert words in tree
    facts = json.loads(installation.airloom("trace", PIPELINE, last.partition, "--json").stdout)
    assert facts["root"] == [{"name": last.name, "partition": last.partition, "version": last.version}]
    assert {each["to"]["name"] for each in facts["edges"]} >= {f"{PIPELINE}/model", f"{PIPELINE}/training"}
    assert "predictions" in installation.airloom("impact", PIPELINE, "raw.traffic", "2024-01-02").stdout


def test_one_prediction_is_told_with_what_the_model_has_read_for_it(installation, repaired):
    day, _ = next(iter(installation.lake()["predictions"].items()))
    rows = Lake(installation.settings.lake / PIPELINE).read("predictions", [day], ["parcel_id", "airloom_score"])
    parcel = rows.iloc[0]
    output = installation.airloom("trace", PIPELINE, day.isoformat(), "--key", parcel["parcel_id"]).stdout
    told = dict(line.split(maxsplit=1) for line in output.partition("\n\n")[0].splitlines())
    assert float(told["airloom_score"]) == parcel["airloom_score"]
    assert 0 <= float(told["courier_delays__courier_late_rate_3d"]) <= 1
    assert told["courier"]


def test_a_picture_of_it_is_well_formed(installation, predictions, tmp_path):
    from xml.etree import ElementTree

    file = tmp_path / "trace.svg"
    installation.airloom("trace", PIPELINE, predictions[-1].partition, "--svg", str(file))
    assert "raw.parcels" in "".join(ElementTree.parse(file).getroot().itertext())


def test_nothing_tells_a_secret_or_a_row(installation, repaired, undated):
    var = installation.settings.var
    kept = [*(var / "lineage").rglob("*"), *(var / "logs").rglob("*"), *(var / "validations").rglob("*")]
    told = {str(file): file.read_text(errors="replace") for file in kept if file.is_file()}
    with sqlite3.connect(var / "airflow" / "airflow.db") as database:
        told["xcom"] = "\n".join(str(row) for row in database.execute("select value from xcom"))
    assert {name for name, text in told.items() if "PLANTED" in text} == set()
