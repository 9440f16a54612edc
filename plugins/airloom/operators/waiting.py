"""The operators that wait, for partitions and for trainings: they start and end in the triggerer, without a worker."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException
from airflow.triggers.base import StartTriggerArgs

from airloom.core.declaration import find_pipeline
from airloom.core.partitions import partition_to_run
from airloom.core.settings import Settings
from airloom.operators.errors import airflow_errors
from airloom.operators.lineage import LineageOperator
from airloom.operators.step import LOGICAL_DAY
from airloom.scheduling.triggers import InputsTrigger, VerdictsTrigger, WaitTrigger

if TYPE_CHECKING:
    from airflow.sdk import Context


class WaitOperator(LineageOperator):
    """Wait in the triggerer; a worker is asked for only to report an error, and by `airflow dags test`.

    Args:
        pipeline: Name of the pipeline.
        partition: The day; by default the run's logical date.
    """

    #: What waits.
    trigger: ClassVar[type[WaitTrigger]]

    template_fields: Sequence[str] = ("pipeline", "partition")
    start_from_trigger = True
    ui_color = "#f6f1e6"

    def __init__(self, *, pipeline: str, partition: str = LOGICAL_DAY, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.pipeline = pipeline
        self.partition = partition
        self.start_trigger_args = self._start()

    def waits_for(self) -> dict[str, str]:
        """Return the trigger's arguments."""
        return {"pipeline": self.pipeline, "partition": self.partition}

    def execute(self, context: Context) -> None:
        """Defer at once; Airflow itself skips this."""
        with airflow_errors(self):
            pipeline = find_pipeline(Settings.from_environment().include, self.pipeline)
            partition_to_run(self.partition, pipeline.schedule.timezone)
        self.defer(trigger=self.trigger(**self.waits_for()), method_name=self.resume.__name__)

    def resume(self, context: Context, event: dict[str, str] | str) -> None:
        """End as the trigger says: only an error reaches a worker from the triggerer."""
        if isinstance(event, dict):
            raise AirflowFailException(event["error"])
        if event == "skipped":
            raise AirflowSkipException("Not due; the trigger's log lines say why.")

    def _start(self) -> StartTriggerArgs:
        trigger = f"{self.trigger.__module__}.{self.trigger.__qualname__}"
        return StartTriggerArgs(trigger, self.resume.__name__, trigger_kwargs=self.waits_for())


class AwaitInputsOperator(WaitOperator):
    """Wait until what a stage reads is published or stopped by an audit, or patience is over.

    Runs of the stages before that are queued or under way for the same days are awaited too: they may be about to
    correct what is published, and patience stands still meanwhile. A stage that cannot be due, such as a training whose
    window begins before the pipeline, is skipped at once.

    Args:
        pipeline: Name of the pipeline.
        stage: The stage that is about to run: `features`, `train` or `score`.
        partition: The day; by default the run's logical date.
    """

    trigger = InputsTrigger
    template_fields: Sequence[str] = (*WaitOperator.template_fields, "stage")

    def __init__(self, *, pipeline: str, stage: str, partition: str = LOGICAL_DAY, **kwargs: Any) -> None:
        self.stage = stage
        super().__init__(pipeline=pipeline, partition=partition, **kwargs)

    def waits_for(self) -> dict[str, str]:
        """Return the trigger's arguments."""
        return {**super().waits_for(), "stage": self.stage}


class AwaitVerdictsOperator(WaitOperator):
    """Wait until trainings of earlier days that are under way have ended, however far back, or patience is over.

    Args:
        pipeline: Name of the pipeline.
        partition: The day; by default the run's logical date.
    """

    trigger = VerdictsTrigger
