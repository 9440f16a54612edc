"""The triggers that wait without a worker: for partitions, and for runs that are under way."""

from __future__ import annotations

import asyncio
import time
from abc import abstractmethod
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from airflow.triggers.base import BaseTrigger, TaskSkippedEvent, TaskSuccessEvent, TriggerEvent

from airloom.connections import use_connections
from airloom.core import clock
from airloom.core.declaration import find_pipeline
from airloom.core.errors import AirloomError, NotDue, Unavailable
from airloom.core.partitions import partition_to_run
from airloom.core.pipeline import Pipeline
from airloom.core.settings import Settings
from airloom.core.wording import counted
from airloom.scheduling.timetable import Nightly
from airloom.steps.readiness import readiness, training_days, upstream

#: What a wait may last longer because nobody was looking, as a share of it and in seconds.
_SHARE, _MOST_SECONDS = 0.1, 15.0

#: Dates are sent in the URL, 50 characters each; every server accepts 8,000 (RFC 9112, section 3).
_DAYS_A_REQUEST = 100


@dataclass(frozen=True)
class Look:
    """What one look at the state of things found.

    Args:
        settled: Whether there is nothing left to wait for.
        state: What is there and what is not, for the log.
        coming: Whether a run that makes an input is queued or under way.
    """

    settled: bool
    state: str
    coming: bool = False


@dataclass
class Timeout:
    """The time that is left of a pipeline's patience. It stands still while an input is coming.

    Args:
        left: How much is left.
        counted: The moment up to which time is counted; none is counted before the first one.
        coming: Whether an input was coming at the last look.
    """

    left: timedelta
    counted: datetime
    coming: bool = True

    def is_over(self, now: datetime, coming: bool) -> bool:
        """Count the time since the last look, and return whether none is left.

        Time counts between two looks that both found no input coming.
        """
        if now > self.counted and not (coming or self.coming):
            self.left -= now - self.counted
        self.counted, self.coming = max(self.counted, now), coming
        return not coming and now >= self.counted and self.left <= timedelta(0)


class WaitTrigger(BaseTrigger):
    """Look again and again until nothing is left to wait for, or patience is over.

    The longer it has waited, the longer it waits until it looks again: what is looked at are tables and servers.

    Patience counts from the start of the wait, but not before the day's nightly time, when its inputs can be there.
    It starts anew when the triggerer is started again: how long inputs were coming until then is not known any more.

    Args:
        pipeline: Name of the pipeline.
        partition: The day that waits, ``YYYY-MM-DD``.
        arguments: What the trigger of one kind needs besides.
    """

    #: Between the first looks.
    seconds = 1.0

    def __init__(self, pipeline: str, partition: str, **arguments: str) -> None:
        super().__init__()
        self.pipeline = pipeline
        self.partition = partition
        self.arguments = arguments

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class and its arguments, for the triggerer."""
        common = {"pipeline": self.pipeline, "partition": self.partition}
        return f"{type(self).__module__}.{type(self).__qualname__}", {**common, **self.arguments}

    @abstractmethod
    def look(self, pipeline: Pipeline, partition: date, settings: Settings) -> Look:
        """Look once; runs in a thread.

        Raises:
            NotDue: There is nothing to wait for, because the stage cannot run for this day.
        """

    def _look(self, pipeline: Pipeline, partition: date, settings: Settings) -> Look:
        """Look once; a server that is away for a while is waited for like all else."""
        try:
            return self.look(pipeline, partition, settings)
        except Unavailable as error:
            return Look(False, error.brief)

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait, and end the task: as a success, or as skipped when it is not due; an error is left to a worker."""
        try:
            await asyncio.to_thread(use_connections)
            settings = Settings.from_environment()
            pipeline = await asyncio.to_thread(find_pipeline, settings.include, self.pipeline)
            partition = partition_to_run(self.partition, pipeline.schedule.timezone)
            due = Nightly(pipeline.schedule.nightly, pipeline.schedule.timezone).start_of_run(partition)
            timeout = Timeout(pipeline.schedule.patience, max(due, clock.now()))
            state, began = "", time.monotonic()
            while True:
                found = await asyncio.to_thread(self._look, pipeline, partition, settings)
                if found.settled:
                    break
                if timeout.is_over(clock.now(), found.coming):
                    self.log.warning("Patience is over; going on with what there is.")
                    break
                if found.state != state:
                    self.log.info("%s %s: %s", self.pipeline, self.partition, found.state)
                    state = found.state
                await asyncio.sleep(pause(time.monotonic() - began, self.seconds))
            self.log.info("%s %s: %s", self.pipeline, self.partition, found.state)
            yield TaskSuccessEvent()
        except NotDue as reason:
            self.log.info("%s", reason)
            yield TaskSkippedEvent()
        except AirloomError as error:
            yield TriggerEvent({"error": str(error)})


class InputsTrigger(WaitTrigger):
    """Wait until every partition that a stage reads is published or stopped by an audit, and nothing is changing it.

    Args:
        pipeline: Name of the pipeline.
        partition: The day that waits, ``YYYY-MM-DD``.
        stage: The stage that waits.
        arguments: None that is read; one that was deferred by an older version may have some.
    """

    #: A look reads the logs of several tables.
    seconds = 2.0

    def __init__(self, pipeline: str, partition: str, stage: str, **arguments: str) -> None:
        super().__init__(pipeline, partition, stage=stage, **arguments)
        self.stage = stage

    def look(self, pipeline: Pipeline, partition: date, settings: Settings) -> Look:
        """Look for runs that are about to publish, then compare what the stage reads with what is published.

        Patience counts while only trainings are awaited: scoring has a champion without them.
        """
        for stage, days in upstream(pipeline, self.stage, partition, settings).items():
            if under_way := count_runs(pipeline, stage, days, ("queued", "running")):
                return Look(False, f"{counted(under_way, 'run')} of {stage} under way", coming=stage != "train")
        state = readiness(pipeline, self.stage, partition, settings)
        return Look(state.settled, str(state))


class VerdictsTrigger(WaitTrigger):
    """Wait until no training of an earlier day is under way; one that is only queued is not waited for.

    Patience counts all the time: one of them may be waiting for a person's answer.
    """

    def look(self, pipeline: Pipeline, partition: date, settings: Settings) -> Look:
        """Count the trainings."""
        days = training_days(pipeline, partition - timedelta(days=1))
        under_way = count_runs(pipeline, "train", days, ("running",))
        return Look(not under_way, f"{counted(under_way, 'training')} of earlier days under way")


def pause(waited: float, least: float) -> float:
    """Return the seconds until the next look: a tenth of those waited so far, within limits."""
    return min(max(least, waited * _SHARE), _MOST_SECONDS)


def count_runs(pipeline: Pipeline, stage: str, days: Sequence[date], states: Sequence[str]) -> int:
    """Count a stage's runs in some states, through Airflow's execution API.

    Args:
        pipeline: The declaration.
        stage: The stage.
        days: The days of the runs, oldest first.
        states: The states.

    Returns:
        0 when there is no such run. Many days are asked about in several requests, the newest first; of those the
        first count that is not 0.
    """
    if len(days) > _DAYS_A_REQUEST and not _count(pipeline, stage, None, states):
        return 0
    for end in range(len(days), 0, -_DAYS_A_REQUEST):
        if found := _count(pipeline, stage, days[max(0, end - _DAYS_A_REQUEST) : end], states):
            return found
    return 0


def _count(pipeline: Pipeline, stage: str, days: Sequence[date] | None, states: Sequence[str]) -> int:
    """Count runs in one request; without days, those of every day."""
    from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

    moments = None if days is None else [datetime(day.year, day.month, day.day, tzinfo=UTC) for day in days]
    dag_id = f"{pipeline.name}.{stage}"
    return int(RuntimeTaskInstance.get_dr_count(dag_id=dag_id, logical_dates=moments, states=list(states)))
