"""The operators that wait, for partitions and for runs that are under way, without holding a worker slot."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowFailException

from airloom.core.declaration import find_pipeline
from airloom.core.errors import AirloomError
from airloom.core.partitions import day_range, parse_partition
from airloom.core.pipeline import Pipeline
from airloom.core.settings import Settings
from airloom.operators.step import LOGICAL_DAY
from airloom.scheduling.triggers import PartitionsTrigger, RunsTrigger, count_runs

if TYPE_CHECKING:
    from airflow.sdk import Context


class AwaitPartitionsOperator(BaseOperator):
    """Wait until the partitions that a stage reads are published or stopped by an audit, or patience is over.

    Args:
        pipeline: Name of the pipeline.
        stage: The stage that is about to run: `features`, `train` or `score`.
        partition: The day; by default the run's logical date.
    """

    template_fields: Sequence[str] = ("pipeline", "stage", "partition")
    ui_color = "#f6f1e6"

    def __init__(self, *, pipeline: str, stage: str, partition: str = LOGICAL_DAY, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.pipeline = pipeline
        self.stage = stage
        self.partition = partition

    def execute(self, context: Context) -> str:
        """Look once; defer when something is missing."""
        from airloom.steps.readiness import readiness

        pipeline, partition = _declared(self.pipeline, self.partition)
        state = readiness(pipeline, self.stage, partition, Settings.from_environment())
        self.log.info("%s %s: %s", self.pipeline, self.partition, state)
        if not state.settled:
            until = _patience_ends(pipeline)
            self.defer(
                trigger=PartitionsTrigger(self.pipeline, self.stage, self.partition, until),
                method_name="resume",
            )
        return str(state)

    def resume(self, context: Context, event: dict[str, Any]) -> str:
        """Go on with what there is."""
        return _resume(self, event)


class AwaitRunsOperator(BaseOperator):
    """Wait until runs of another day or stage that are under way have ended, or patience is over.

    Args:
        pipeline: Name of the pipeline.
        stage: The stage whose runs are awaited.
        states: The states that count as under way; a run that has not started is only `queued`.
        include_partition: Whether the partition itself is looked at too, besides the days before it.
        partition: The day; by default the run's logical date.
    """

    template_fields: Sequence[str] = ("pipeline", "stage", "partition")
    ui_color = "#f6f1e6"

    def __init__(
        self,
        *,
        pipeline: str,
        stage: str,
        states: Sequence[str] = ("running",),
        include_partition: bool = False,
        partition: str = LOGICAL_DAY,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.pipeline = pipeline
        self.stage = stage
        self.states = states
        self.include_partition = include_partition
        self.partition = partition

    def execute(self, context: Context) -> str:
        """Look once; defer while such a run is under way."""
        pipeline, partition = _declared(self.pipeline, self.partition)
        dag_id = f"{self.pipeline}.{self.stage}"
        moments = self._logical_dates(pipeline, partition)
        under_way = count_runs(dag_id, moments, list(self.states))
        self.log.info("%s %s: %d runs of %s under way", self.pipeline, self.partition, under_way, dag_id)
        if under_way:
            until = _patience_ends(pipeline)
            self.defer(trigger=RunsTrigger(dag_id, moments, list(self.states), until), method_name="resume")
        return f"no run of {dag_id} under way"

    def resume(self, context: Context, event: dict[str, Any]) -> str:
        """Go on with what there is."""
        return _resume(self, event)

    def _logical_dates(self, pipeline: Pipeline, partition: date) -> list[str]:
        """Look as far back as a run can still matter: one training window."""
        last = partition if self.include_partition else partition - timedelta(days=1)
        first = max(pipeline.schedule.start, partition - pipeline.train.window)
        return [f"{day.isoformat()}T00:00:00+00:00" for day in day_range(first, last)]


def _declared(name: str, day: str) -> tuple[Pipeline, date]:
    try:
        return find_pipeline(Settings.from_environment().include, name), parse_partition(day)
    except AirloomError as error:
        raise AirflowFailException(str(error)) from error


def _patience_ends(pipeline: Pipeline) -> str:
    return (datetime.now(UTC) + pipeline.schedule.patience).isoformat()


def _resume(operator: BaseOperator, event: dict[str, Any]) -> str:
    message = "%s" if event["settled"] else "Patience is over; going on with what there is: %s"
    operator.log.info(message, event["state"])
    return str(event["state"])
