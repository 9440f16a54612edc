"""Events as Airflow's provider emits them for a task, through the real client and its file transport."""

import json
from types import SimpleNamespace

from airflow.providers.openlineage.extractors.manager import ExtractorManager
from airflow.providers.openlineage.plugins.adapter import OpenLineageAdapter
from airflow.utils.state import TaskInstanceState
from openlineage.client import OpenLineageClient

STATES = {
    "START": TaskInstanceState.RUNNING,
    "COMPLETE": TaskInstanceState.SUCCESS,
    "FAIL": TaskInstanceState.FAILED,
}
RUN_ID, MOMENT = "01a212df-e45f-7f35-9d60-f20300b8c0e0", "2013-02-11T07:00:00+00:00"


class Emitter:
    """Emits the events of tasks into a file."""

    def __init__(self, file):
        self.file = file
        transport = {"type": "file", "log_file_path": str(file), "append": True}
        self.adapter = OpenLineageAdapter(OpenLineageClient(config={"transport": transport}))

    def emit(self, task, state, error=None, run_id=RUN_ID):
        """Emit one event of a task and return it as it was written."""
        metadata = ExtractorManager().extract_metadata(
            SimpleNamespace(run_id="a run"), task, STATES[state], task_instance=None
        )
        common = {"nominal_start_time": None, "nominal_end_time": None, "owners": None, "tags": None}
        about = {
            "run_id": run_id,
            "job_name": f"{task.dag_id}.{task.task_id}",
            "job_description": None,
            "task": metadata,
        }
        if state == "START":
            self.adapter.start_task(event_time=MOMENT, **about, **common)
        elif state == "COMPLETE":
            self.adapter.complete_task(end_time=MOMENT, **about, **common)
        else:
            self.adapter.fail_task(end_time=MOMENT, error=error, **about, **common)
        return json.loads(self.file.read_text().splitlines()[-1])
