"""Events written by hand, as short as the graph needs them."""

import json
from datetime import UTC, datetime, timedelta
from itertools import count

from airloom.lineage.events import Version, runs_of
from airloom.lineage.graph import Graph

D, E = "2013-02-09", "2013-02-10"
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


def raw(day, version):
    return "raw.t", (day, version)


def view(*partitions):
    return "features.v", *partitions


def computed(day, version, *days, **more):
    made_of = {"madeOf": {"p/raw.t": dict(days)}} if days else {}
    return day, version, {**made_of, **more}


def chain():
    """Two raw days, a view with a window of two days, one model of them, and predictions."""
    log = Log()
    for day, version in ((D, "r1"), (E, "r2")):
        log.did("ingest.publish", f"publish {day}", [("source", (day, ""))], [raw(day, version)])
    log.did("features.compute", "compute D", [raw(D, "r1")], [view((D, "f1"))])
    log.did("features.compute", "compute E", [("raw.t", (D, "r1"), (E, "r2"))], [view((E, "f2"))])
    log.did("train.assemble", "assemble", [view((D, "f1"))], [("training", (E, "t"))])
    log.did("train.fit", "fit", [("training", (E, "t"))], [("run.b", (E, "run"))])
    log.did("train.evaluate", "evaluate", [("run.b", (E, "run"))], [("model", ("", "1"))])
    log.did("train.decide", "decide", [("model", ("", "1"))], [("verdict", (E, "v"))])
    log.did("train.apply", "apply", [("verdict", (E, "v")), ("model", ("", "1"))], [("champion", (E, "1"))])
    log.did(
        "score.score",
        "score",
        [view((E, "f2")), ("model", ("", "1")), ("champion", (E, "1"))],
        [("predictions", (E, "p"))],
    )
    return log


def graph_of(log):
    return Graph(runs_of(log.events))


def node(name, day="", version=""):
    return Version(f"p/{name}", day, version)
