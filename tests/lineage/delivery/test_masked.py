"""The params of a run are masked in every event, whichever transport it goes to."""

import json

from airflow.providers.openlineage.plugins.facets import AirflowDagRunFacet

from airloom.lineage.delivery.masked import MaskedConfig, MaskedTransport
from tests.lineage.delivery.lineage_events import event


def emitted(tmp_path, conf):
    file = tmp_path / "events.ndjson"
    inner = {"type": "file", "log_file_path": str(file), "append": True}
    told = event()
    told.run.facets["airflow"] = AirflowDagRunFacet(dag={}, dagRun={"run_id": "r", "conf": conf})
    MaskedTransport(MaskedConfig.from_dict({"type": "whatever", "transport": inner})).emit(told)
    return json.loads(file.read_text())["run"]["facets"]["airflow"]["dagRun"]


def test_a_secret_among_the_params_is_masked_and_the_rest_is_kept(tmp_path):
    params = {"action": "pin", "password": "hush-hush", "nested": {"api_key": "hush-hush"}}
    told = emitted(tmp_path, params)
    assert "hush-hush" not in json.dumps(told)
    assert (told["run_id"], told["conf"]["action"]) == ("r", "pin")


def test_a_run_without_params_is_told(tmp_path):
    assert emitted(tmp_path, None)["conf"] == {}


def test_params_that_cannot_be_masked_are_left_out(tmp_path):
    assert emitted(tmp_path, 7)["conf"] == {}
