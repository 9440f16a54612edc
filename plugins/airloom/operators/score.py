"""Operators that score, every night and once more after a person has moved the champion, and that look back on it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

from airloom.core.errors import NotDue
from airloom.core.pipeline import Pipeline
from airloom.core.records import Record, Scored
from airloom.core.settings import Settings
from airloom.operators.links import ModelVersionLink
from airloom.operators.step import LOGICAL_DAY, StepOperator

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


class RescoreOperator(ScoreOperator):
    """Score again when a person has asked for it; the task is skipped otherwise.

    Args:
        pipeline: Name of the pipeline.
        wanted: Whether it is asked for, `True` or `False`.
        partition: The day; by default the run's logical date.
    """

    template_fields: Sequence[str] = (*ScoreOperator.template_fields, "wanted")

    def __init__(self, *, pipeline: str, wanted: str, partition: str = LOGICAL_DAY, **kwargs: Any) -> None:
        super().__init__(pipeline=pipeline, partition=partition, **kwargs)
        self.wanted = wanted

    def run_step(self, pipeline: Pipeline, partition: date, settings: Settings, context: Context) -> Scored:
        """Score again."""
        if self.wanted != str(True):
            raise NotDue("Nobody has asked to score again; the next nightly run uses the new champion.")
        return super().run_step(pipeline, partition, settings, context)


class ReviewOperator(StepOperator):
    """Look back, now that labels have arrived: whether promotions were right, and what the champion is worth.

    Args:
        pipeline: Name of the pipeline.
        partition: The day; by default the run's logical date.
    """

    def run_step(self, pipeline: Pipeline, partition: date, settings: Settings, context: Context) -> Record:
        """Review."""
        from airloom.steps.review import review

        return review(pipeline, partition, settings, f"{self.dag_id} {context['run_id']}")
