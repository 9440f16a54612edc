"""The operator that all others extend: run one step, hand its record on."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperatorLink

from airloom.connections import use_connections
from airloom.core.declaration import find_pipeline
from airloom.core.partitions import partition_to_run
from airloom.core.pipeline import Pipeline
from airloom.core.records import Record
from airloom.core.settings import Settings
from airloom.operators.errors import airflow_errors
from airloom.operators.lineage import LineageOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

#: The run's day: its logical date without the 00:00 in UTC. What the operator refuses in words is left as it is: a
#: logical date that is not the start of a day, and none at all, which is empty.
LOGICAL_DAY = "{{ dag_run.logical_date.isoformat().removesuffix('T00:00:00+00:00') if dag_run.logical_date else '' }}"


class StepOperator(LineageOperator):
    """Run one step of a pipeline for one partition.

    Args:
        pipeline: Name of the pipeline, declared in ``include/<pipeline>/pipeline.yaml``.
        partition: The day, ``YYYY-MM-DD``; by default the run's logical date.
    """

    template_fields: Sequence[str] = ("pipeline", "partition")
    operator_extra_links: Sequence[BaseOperatorLink] = ()
    ui_color = "#eef3f6"

    def __init__(self, *, pipeline: str, partition: str = LOGICAL_DAY, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.pipeline = pipeline
        self.partition = partition

    def day(self, pipeline: Pipeline, settings: Settings) -> date:
        """Return the partition, which must be one that may run; an operator may know one when none is given."""
        return partition_to_run(self.partition, pipeline.schedule.timezone)

    @abstractmethod
    def run_step(self, pipeline: Pipeline, partition: date, settings: Settings, context: Context) -> Record:
        """Call the step and return its record."""

    def execute(self, context: Context) -> dict[str, Any]:
        """Run the step and hand its record on."""
        with airflow_errors(self):
            use_connections()
            settings = Settings.from_environment()
            self.declared = pipeline = find_pipeline(settings.include, self.pipeline)
            partition = self.day(pipeline, settings)
            self.record = self.run_step(pipeline, partition, settings, context)
        self.log.info("%s %s: %s", self.pipeline, partition, self.record.headline)
        self._emit_assets(context, self.record)
        return self.record.to_xcom()

    def _emit_assets(self, context: Context, record: Record) -> None:
        """Tell other DAGs which partition of the task's outlets is there, and in which versions."""
        for outlet in self.outlets:
            context["outlet_events"][outlet].extra = {
                "partition": record.partition.isoformat(),
                # The partition's own come last; other days may have been healed beside it.
                "versions": {output.name: output.version for output in record.outputs},
                "headline": record.headline,
            }
