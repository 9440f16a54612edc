"""The DAG files as Airflow sees them: parsed in a fresh process, fast, and without the libraries that tasks use."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.worlds.prepared import INCLUDE

PROJECT = Path(__file__).parents[1]
HEAVY = ["pandas", "pyarrow", "deltalake", "duckdb", "sklearn", "torch", "mlflow", "feast", "great_expectations"]
STAGES = ["ingest", "features", "train", "score"]

PARSE = """
import json, sys, time
import airflow.sdk
from airflow.dag_processing.dagbag import DagBag
from airflow.serialization.serialized_objects import DagSerialization
heavy_before = [name for name in HEAVY if name in sys.modules]
started = time.monotonic()
bag = DagBag(FOLDER, bundle_path=FOLDER)
seconds = time.monotonic() - started
serialized = {dag_id: DagSerialization.to_dict(dag) for dag_id, dag in bag.dags.items()}
print("PARSED" + json.dumps({
    "seconds": seconds,
    "errors": bag.import_errors,
    "heavy": [name for name in HEAVY if name in sys.modules and name not in heavy_before],
    "dags": {dag_id: {
        "tasks": dag.task_ids, "tags": sorted(dag.tags), "doc": dag.doc_md, "owner": dag.owner,
        "paused": dag.is_paused_upon_creation, "timetable": type(dag.timetable).__name__,
    } for dag_id, dag in bag.dags.items()},
}))
"""


def parse(**environment):
    code = f"HEAVY = {HEAVY!r}\nFOLDER = {str(PROJECT / 'dags')!r}\n{PARSE}"
    run = subprocess.run(
        [sys.executable, "-W", "error::DeprecationWarning:airloom", "-c", code],
        env={**os.environ, "PYTHONPATH": f"{PROJECT / 'plugins'}:{PROJECT}", **environment},
        capture_output=True,
        text=True,
        check=True,
        timeout=600,
    )
    return json.loads(run.stdout.split("PARSED", 1)[1])


@pytest.fixture(scope="module")
def parsed():
    return parse()


def test_every_dag_file_can_be_imported(parsed):
    assert parsed["errors"] == {}


def test_every_stage_of_the_pipeline_is_a_dag(parsed):
    assert {f"flight_delays.{stage}" for stage in STAGES} <= set(parsed["dags"])


def test_parsing_loads_no_heavy_library(parsed):
    assert parsed["heavy"] == []


def test_every_dag_can_be_found_and_understood_in_the_ui(parsed):
    for stage in STAGES:
        dag = parsed["dags"][f"flight_delays.{stage}"]
        assert dag["tags"] == sorted(["airloom", "flight_delays", stage])
        assert dag["owner"] == "flight-operations"
        assert len(dag["doc"]) > 200
        assert f"`airloom run flight_delays --stage {stage} --day YYYY-MM-DD`" in dag["doc"]
        assert "*Clear* the day's run" in dag["doc"]


def test_the_stages_are_linked_by_state_and_share_one_timetable(parsed):
    assert parsed["dags"]["flight_delays.ingest"]["tasks"] == ["extract", "validate", "publish"]
    assert parsed["dags"]["flight_delays.score"]["tasks"] == ["await_inputs", "score", "review"]
    for stage in STAGES[1:]:
        assert parsed["dags"][f"flight_delays.{stage}"]["tasks"][0] == "await_inputs"
    assert {parsed["dags"][f"flight_delays.{stage}"]["timetable"] for stage in STAGES} == {"Nightly"}


def test_the_champion_dag_waits_for_a_person_and_is_not_paused(parsed):
    dag = parsed["dags"]["flight_delays.champion"]
    assert (dag["paused"], dag["timetable"]) == (False, "NullTimetable")
    assert dag["tasks"] == ["choose", "prove", "apply", "rescore"]


def test_the_hand_written_example_is_paused(parsed):
    assert parsed["dags"]["hand_written"]["paused"] is True


def test_labels_by_a_query_are_computed_before_the_training_set(tmp_path):
    shutil.copytree(INCLUDE, tmp_path / "include")
    file = tmp_path / "include" / "parcels" / "pipeline.yaml"
    declared = file.read_text().replace("label: {table: parcels,", "label: {sql: late.sql, reads: parcels,")
    file.write_text(declared)
    tasks = parse(AIRLOOM_PROJECT=str(tmp_path))["dags"]["parcels.train"]["tasks"]
    assert tasks[:3] == ["await_inputs", "label", "assemble"]


def test_a_broken_pipeline_folder_breaks_only_its_own_dags(tmp_path):
    shutil.copytree(INCLUDE, tmp_path / "include")
    broken = tmp_path / "include" / "broken"
    shutil.copytree(INCLUDE / "parcels", broken)
    declaration = (broken / "pipeline.yaml").read_text()
    (broken / "pipeline.yaml").write_text(declaration.replace("holdout:", "holdot:"))
    parsed = parse(AIRLOOM_PROJECT=str(tmp_path))
    assert list(parsed["errors"]) == ["declarations.py"]
    assert "Did you mean 'holdout'?" in parsed["errors"]["declarations.py"]
    assert f"{broken / 'pipeline.yaml'}, line" in parsed["errors"]["declarations.py"]
    assert {f"parcels.{stage}" for stage in STAGES} <= set(parsed["dags"])
