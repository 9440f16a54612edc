"""Operators of the features stage: compute and materialize."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

from airloom.core.pipeline import Pipeline
from airloom.core.records import Computed, Materialized
from airloom.core.settings import Settings
from airloom.operators.step import LOGICAL_DAY, StepOperator

if TYPE_CHECKING:
    from airflow.sdk import Context


class ComputeOperator(StepOperator):
    """Compute every feature view as of the partition, and again those later days whose inputs have changed.

    Args:
        pipeline: Name of the pipeline.
        partition: The day; by default the run's logical date.
    """

    def run_step(self, pipeline: Pipeline, partition: date, settings: Settings, context: Context) -> Computed:
        """Compute."""
        from airloom.steps.compute import compute

        return compute(pipeline, partition, settings)


class MaterializeOperator(StepOperator):
    """Bring computed features to Feast's online store, never replacing a newer value.

    Args:
        pipeline: Name of the pipeline.
        computed: The record of the computation: which days to materialize.
        partition: The day; by default the run's logical date.
    """

    template_fields: Sequence[str] = (*StepOperator.template_fields, "computed")

    def __init__(self, *, pipeline: str, computed: Any, partition: str = LOGICAL_DAY, **kwargs: Any) -> None:
        super().__init__(pipeline=pipeline, partition=partition, **kwargs)
        self.computed = computed

    def run_step(self, pipeline: Pipeline, partition: date, settings: Settings, context: Context) -> Materialized:
        """Materialize."""
        from airloom.steps.materialize import materialize

        computed = Computed.model_validate(self.computed)
        return materialize(pipeline, partition, settings, sorted({partition, *computed.healed}))
