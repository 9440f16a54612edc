"""Operator of the score stage."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from airloom.core.pipeline import Pipeline
from airloom.core.records import Scored
from airloom.core.settings import Settings
from airloom.operators.links import ModelVersionLink
from airloom.operators.step import StepOperator

if TYPE_CHECKING:
    from airflow.sdk import Context


class ScoreOperator(StepOperator):
    """Predict with the champion as of the partition, and again those later days whose inputs have changed.

    Args:
        pipeline: Name of the pipeline.
        partition: The day; by default the run's logical date.
    """

    operator_extra_links = (ModelVersionLink(),)

    def run_step(self, pipeline: Pipeline, partition: date, settings: Settings, context: Context) -> Scored:
        """Score."""
        from airloom.steps.score import score

        return score(pipeline, partition, settings, run_id=str(context["run_id"]))
