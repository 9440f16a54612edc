"""The triggers that wait without holding a worker slot: for partitions, and for runs that are under way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent
from asgiref.sync import sync_to_async

from airloom.core.declaration import find_pipeline
from airloom.core.settings import Settings
from airloom.steps.readiness import readiness

_POLL_SECONDS = 2.0


class PartitionsTrigger(BaseTrigger):
    """Wait until every partition that a stage needs is published or stopped by an audit, or patience is over.

    Args:
        pipeline: Name of the pipeline.
        stage: The stage that waits.
        partition: The day it is to run for, ``YYYY-MM-DD``.
        until: When patience is over, ISO 8601 with offset.
    """

    def __init__(self, pipeline: str, stage: str, partition: str, until: str) -> None:
        super().__init__()
        self.pipeline = pipeline
        self.stage = stage
        self.partition = partition
        self.until = until

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class and its arguments, for the triggerer."""
        arguments = {name: getattr(self, name) for name in ("pipeline", "stage", "partition", "until")}
        return f"{type(self).__module__}.{type(self).__qualname__}", arguments

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look every few seconds."""
        settings = Settings.from_environment()
        declared = await asyncio.to_thread(find_pipeline, settings.include, self.pipeline)
        while True:
            state = await asyncio.to_thread(
                readiness, declared, self.stage, date.fromisoformat(self.partition), settings
            )
            if state.settled or datetime.now(UTC) >= datetime.fromisoformat(self.until):
                yield TriggerEvent({"settled": state.settled, "state": str(state)})
                return
            await asyncio.sleep(_POLL_SECONDS)


class RunsTrigger(BaseTrigger):
    """Wait until no run of a DAG for the given days is in one of the given states, or patience is over.

    Args:
        dag_id: The DAG.
        logical_dates: The days' logical dates, ISO 8601 with offset.
        states: The states to wait out, for example `running`.
        until: When patience is over, ISO 8601 with offset.
    """

    def __init__(self, dag_id: str, logical_dates: list[str], states: list[str], until: str) -> None:
        super().__init__()
        self.dag_id = dag_id
        self.logical_dates = logical_dates
        self.states = states
        self.until = until

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class and its arguments, for the triggerer."""
        arguments = {name: getattr(self, name) for name in ("dag_id", "logical_dates", "states", "until")}
        return f"{type(self).__module__}.{type(self).__qualname__}", arguments

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look every few seconds."""
        while True:
            under_way = await sync_to_async(count_runs)(self.dag_id, self.logical_dates, self.states)
            if not under_way or datetime.now(UTC) >= datetime.fromisoformat(self.until):
                yield TriggerEvent({"settled": not under_way, "state": f"{under_way} runs under way"})
                return
            await asyncio.sleep(_POLL_SECONDS)


def count_runs(dag_id: str, logical_dates: list[str], states: list[str]) -> int:
    """Count a DAG's runs for some days in some states, through Airflow's execution API."""
    from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

    if not logical_dates:
        return 0
    moments = [datetime.fromisoformat(each) for each in logical_dates]
    return int(RuntimeTaskInstance.get_dr_count(dag_id=dag_id, logical_dates=moments, states=states))
