"""What `airloom up` makes before its servers start."""

import json
import shutil
from importlib.metadata import version
from pathlib import Path

from airloom.core.settings import Settings
from airloom.launcher.ports import Ports
from airloom.launcher.prepare import prepare

INCLUDE = Path(__file__).parents[2] / "include"


def test_a_pipeline_that_is_broken_is_told_and_keeps_no_other_from_being_prepared(tmp_path):
    settings = Settings(tmp_path, tmp_path / "var", f"sqlite:///{tmp_path}/var/state/airloom.db")
    for name in ("flight_delays", "a_wrong_one"):
        shutil.copytree(INCLUDE / "flight_delays", settings.include / name)
    declaration = settings.include / "a_wrong_one" / "pipeline.yaml"
    declared = declaration.read_text().replace("include.flight_delays.features", "features_of_nobody")
    declaration.write_text(declared.replace("name: flight_delays", "name: a_wrong_one"))
    (tmp_path / "features_of_nobody.py").write_text("nowhere_defined\n")
    (settings.include / "unreadable").mkdir()
    (settings.include / "unreadable" / "pipeline.yaml").write_text("name: unreadable\n")
    made = {"airflow": version("apache-airflow"), "mlflow": [version("mlflow"), settings.state_url]}
    (settings.var / "run").mkdir(parents=True)
    (settings.var / "run" / "prepared.json").write_text(json.dumps(made))

    prepared = prepare(settings, Ports(), lambda _: None)
    assert prepared.applied == ("flight_delays",)
    places = (f"{settings.include}/unreadable/pipeline.yaml, line 1", f"{tmp_path}/features_of_nobody.py, line 1")
    assert tuple(error.where for error in prepared.broken) == places
