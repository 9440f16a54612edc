"""What waiting triggers find: `python -m tests.scheduling.looks` reads cases and writes the looks, as JSON.

It asks Airflow's execution API, in this process, over the metadata database of `AIRFLOW_HOME`, which it makes.
"""

import json
import sys
from datetime import UTC, date, datetime
from types import SimpleNamespace
from typing import ClassVar
from uuid import uuid4

from airflow.models.dagrun import DagRun
from airflow.sdk.execution_time.supervisor import InProcessTestSupervisor
from airflow.triggers.base import BaseTrigger, TriggerEvent
from airflow.utils.db import initdb
from airflow.utils.session import create_session
from airflow.utils.types import DagRunTriggeredByType, DagRunType
from sqlalchemy import delete

from airloom.core.declaration import find_pipeline
from airloom.core.settings import Settings
from airloom.scheduling.triggers import InputsTrigger, VerdictsTrigger
from airloom.stores.ledger import Ledger
from tests.worlds.prepared import INCLUDE

DAY, START = date(2015, 6, 1), date(2013, 1, 1)


class Supervisor(InProcessTestSupervisor):
    """Airflow's own, which keeps the lengths of the URLs that it has asked."""

    urls: ClassVar[list[int]] = []

    @staticmethod
    def _api_client(dag=None):
        client = InProcessTestSupervisor._api_client(dag)
        client.event_hooks["request"].append(lambda request: Supervisor.urls.append(len(request.url.raw_path)))
        return client


class Looks(BaseTrigger):
    """Looks once for every case, as a trigger does that has the triggerer's connection to Airflow."""

    def __init__(self, cases):
        super().__init__()
        self.cases = cases

    def serialize(self):
        return f"{__name__}.Looks", {"cases": self.cases}

    async def run(self):
        yield TriggerEvent([look(**case) for case in self.cases])


def look(waits, runs, champion=None):
    """Make the runs and the champion, and look for what a stage, or the verdict, of DAY waits for."""
    settings, parcels = Settings.from_environment(), find_pipeline(INCLUDE, "parcels")
    long_since = parcels.schedule.model_copy(update={"start": START, "end": None})
    with create_session() as session:
        session.execute(delete(DagRun))
        session.add_all(dag_run(*run) for run in runs)
    if champion:
        facts = {"version": 1, "verdict": None, "actor": "ann", "reason": "promote: for a test"}
        Ledger(settings.state_url).promote(
            "parcels", expected_epoch=0, effective_from=date.fromisoformat(champion), **facts
        )
    day = DAY.isoformat()
    trigger = VerdictsTrigger("parcels", day) if waits == "verdict" else InputsTrigger("parcels", day, waits)
    Supervisor.urls.clear()
    found = trigger.look(parcels.model_copy(update={"schedule": long_since}), DAY, settings)
    return {**vars(found), "urls": list(Supervisor.urls)}


def dag_run(stage, day, state):
    moment = datetime.fromisoformat(day).replace(tzinfo=UTC)
    return DagRun(
        f"parcels.{stage}",
        f"{stage}-{day}",
        logical_date=moment,
        run_after=moment,
        state=state,
        run_type=DagRunType.SCHEDULED,
        triggered_by=DagRunTriggeredByType.TEST,
    )


if __name__ == "__main__":
    initdb()
    task = SimpleNamespace(id=uuid4())
    looked = Supervisor.run_trigger_in_process(trigger=Looks(json.load(sys.stdin)), ti=task)
    sys.stdout.write(f"LOOKS{json.dumps(looked.payload)}")
