"""Events written by hand, as short as the graph needs them."""

import json
from datetime import UTC, datetime, timedelta
from itertools import count

START = datetime(2013, 2, 11, 7, tzinfo=UTC)


class Log:
    """Events in the order in which they were emitted, a second after one another."""

    def __init__(self):
        self.events = []
        self._seconds = count()

    def start(self, job, run, dag_run="night", attempt=1):
        self._add("START", job, run, dag_run, attempt, [], [])

    def end(self, job, run, inputs=(), outputs=(), state="COMPLETE", dag_run="night", attempt=1):
        self._add(state, job, run, dag_run, attempt, inputs, outputs)

    def did(self, job, run, inputs, outputs, **options):
        """A task that has started and ended."""
        self.start(job, run, **options)
        self.end(job, run, inputs, outputs, **options)

    def end_dag_run(self, run):
        """The end of a run of the DAG: no task of ours."""
        self._append({"eventType": "COMPLETE", "job": {"namespace": "airloom", "name": "p"}, "run": _run(run)})

    def _add(self, state, job, run, dag_run, attempt, inputs, outputs):
        facets = {
            "airloom_run": {"pipeline": "p", "partition": "2013-02-10", "stage": "s", "headline": f"{job} is done"},
            "airflow": {
                "dagRun": {"run_id": dag_run, "run_type": "manual", "triggering_user_name": "ada"},
                "taskInstance": {"try_number": attempt},
            },
            "parent": {"run": {"runId": dag_run}},
        }
        job = {"namespace": "airloom", "name": f"p.{job}"}
        sides = {"inputs": [dataset(*each) for each in inputs], "outputs": [dataset(*each) for each in outputs]}
        self._append({"eventType": state, "job": job, "run": _run(run, facets), **sides})

    def _append(self, event):
        moment = START + timedelta(seconds=next(self._seconds))
        self.events.append({**event, "eventTime": moment.isoformat()})

    def write(self, file):
        file.write_text("".join(f"{json.dumps(event)}\n" for event in self.events))


def _run(run, facets=None):
    return {"runId": run, "facets": facets or {}}


def dataset(name, *partitions):
    """A dataset with its partitions, each a day, a version and whatever else is said of it."""
    said = [{"partition": day, "version": version, **(more[0] if more else {})} for day, version, *more in partitions]
    return {"namespace": "airloom", "name": f"p/{name}", "facets": {"airloom_partition": {"partitions": said}}}
