"""What `airloom up` makes before its servers start."""

import json
import shutil
from importlib.metadata import version

from airloom.launcher.ports import Ports
from airloom.launcher.prepare import prepare
from tests.worlds.installation import settings_at
from tests.worlds.prepared import make_project


def test_a_pipeline_that_is_broken_is_told_and_keeps_no_other_from_being_prepared(tmp_path, own_include):
    settings = settings_at(tmp_path, project=tmp_path / "project")
    make_project(settings.project)
    shutil.copytree(settings.include / "parcels", settings.include / "a_wrong_one")
    declaration = settings.include / "a_wrong_one" / "pipeline.yaml"
    declared = declaration.read_text().replace("include.parcels.features", "features_of_nobody")
    declaration.write_text(declared.replace("name: parcels", "name: a_wrong_one"))
    (settings.project / "features_of_nobody.py").write_text("nowhere_defined\n")
    (settings.include / "unreadable").mkdir()
    (settings.include / "unreadable" / "pipeline.yaml").write_text("name: unreadable\n")
    made = {"airflow": version("apache-airflow"), "mlflow": [version("mlflow"), settings.state_url]}
    (settings.var / "run").mkdir(parents=True)
    (settings.var / "run" / "prepared.json").write_text(json.dumps(made))

    prepared = prepare(settings, Ports(), lambda _: None)
    assert prepared.applied == ("parcels",)
    assert [error.where for error in prepared.broken] == [
        f"{settings.include}/unreadable/pipeline.yaml, line 1",
        f"{settings.project}/features_of_nobody.py, line 1",
    ]
