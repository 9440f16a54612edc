"""What every operator of a pipeline tells OpenLineage when its task starts and ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from airloom.core.declaration import find_pipeline
from airloom.core.pipeline import Pipeline
from airloom.core.records import Record, TrainingSet
from airloom.core.settings import Settings
from airloom.lineage.facets import Task, lineage_at_end, lineage_at_start

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage


class LineageOperator(BaseOperator):
    """An operator whose task has lineage of its own making."""

    pipeline: str
    partition: str

    #: What the last execution did and by which declaration, for lineage and links in the process that ran the task.
    record: Record | None = None
    declared: Pipeline | None = None

    def get_openlineage_facets_on_start(self) -> OperatorLineage[Any, Any]:
        """Return what is known before the step has run: what it is for."""
        return lineage_at_start(self._task())

    def get_openlineage_facets_on_complete(self, _task_instance: Any) -> OperatorLineage[Any, Any]:
        """Return the datasets that the step read and wrote, and what came of it."""
        if self.record is None:
            return lineage_at_start(self._task())
        settings = Settings.from_environment()
        declared = self.declared or find_pipeline(settings.include, self.record.pipeline)
        return lineage_at_end(self._task(), self.record, declared, settings)

    def get_openlineage_facets_on_failure(self, task_instance: Any) -> OperatorLineage[Any, Any]:
        """Return the datasets of a step whose task failed afterwards; a step that failed wrote nothing."""
        return self.get_openlineage_facets_on_complete(task_instance)

    def _task(self) -> Task:
        training = getattr(self, "training", None)
        return Task(
            pipeline=self.pipeline,
            partition=self.partition,
            stage=self.dag_id.rpartition(".")[2],
            training=TrainingSet.model_validate(training) if isinstance(training, dict) else None,
        )
