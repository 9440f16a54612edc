"""Operators of the ingest stage: extract, validate, publish."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

from airloom.core.errors import DataError
from airloom.core.pipeline import Pipeline
from airloom.core.records import Published, Staged, Validation
from airloom.core.settings import Settings
from airloom.operators.links import ValidationLink
from airloom.operators.step import LOGICAL_DAY, StepOperator

if TYPE_CHECKING:
    from airflow.sdk import Context


class ExtractOperator(StepOperator):
    """Stage a partition of every table from the pipeline's source.

    Args:
        pipeline: Name of the pipeline.
        partition: The day; by default the run's logical date.
    """

    def run_step(self, pipeline: Pipeline, partition: date, settings: Settings, context: Context) -> Staged:
        """Extract."""
        from airloom.steps.extract import extract

        return extract(pipeline, partition, settings)


class ValidateOperator(StepOperator):
    """Audit one staged table with Great Expectations; a critical failure stops the partition.

    Args:
        pipeline: Name of the pipeline.
        table: The table to audit.
        partition: The day; by default the run's logical date.
    """

    template_fields: Sequence[str] = (*StepOperator.template_fields, "table")
    operator_extra_links = (ValidationLink(),)

    def __init__(self, *, pipeline: str, table: str, partition: str = LOGICAL_DAY, **kwargs: Any) -> None:
        super().__init__(pipeline=pipeline, partition=partition, **kwargs)
        self.table = table

    def run_step(self, pipeline: Pipeline, partition: date, settings: Settings, context: Context) -> Validation:
        """Validate."""
        from airloom.steps.validate import validate

        validation = validate(pipeline, partition, self.table, settings)
        # Also of a table that is blocked: that is when a person follows the link to the result.
        self.record = validation
        for failure in validation.failures:
            self.log.warning("%s: %s on %s: %s", failure.severity, failure.expectation, failure.column, failure.found)
        if validation.outcome == "blocked":
            raise DataError(
                f"{self.table} of {partition} is blocked: nothing of this day will be published.",
                where=validation.result,
                found=validation.headline,
                do=f"correct the source, then run the day again: airloom run {pipeline.name} --day {partition}",
            )
        return validation


class PublishOperator(StepOperator):
    """Publish the audited partition of every table, each in one atomic commit.

    Args:
        pipeline: Name of the pipeline.
        validations: The records of every table's audit.
        partition: The day; by default the run's logical date.
    """

    template_fields: Sequence[str] = (*StepOperator.template_fields, "validations")

    def __init__(self, *, pipeline: str, validations: Any, partition: str = LOGICAL_DAY, **kwargs: Any) -> None:
        super().__init__(pipeline=pipeline, partition=partition, **kwargs)
        self.validations = validations

    def run_step(self, pipeline: Pipeline, partition: date, settings: Settings, context: Context) -> Published:
        """Publish."""
        from airloom.steps.publish import publish

        audits = [Validation.model_validate(each) for each in self.validations]
        return publish(pipeline, partition, settings, audits)
