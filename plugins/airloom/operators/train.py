"""Operators of the train stage: assemble, fit, evaluate, decide, apply."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

from airloom.core.pipeline import Pipeline
from airloom.core.records import Applied, Decided, Evaluation, Fitted, TrainingSet
from airloom.core.settings import Settings
from airloom.operators.links import ModelRunLink, ModelVersionLink
from airloom.operators.step import LOGICAL_DAY, StepOperator

if TYPE_CHECKING:
    from airflow.sdk import Context


class AssembleOperator(StepOperator):
    """Join labels and features point in time into the night's training set.

    Args:
        pipeline: Name of the pipeline.
        partition: The day; by default the run's logical date.
    """

    def run_step(self, pipeline: Pipeline, partition: date, settings: Settings, context: Context) -> TrainingSet:
        """Assemble."""
        from airloom.steps.assemble import assemble

        return assemble(pipeline, partition, settings)


class FitOperator(StepOperator):
    """Train one candidate and log it to MLflow.

    Args:
        pipeline: Name of the pipeline.
        candidate: Its name in the declaration.
        training: The record of the training set.
        partition: The day; by default the run's logical date.
    """

    template_fields: Sequence[str] = (*StepOperator.template_fields, "candidate", "training")
    operator_extra_links = (ModelRunLink(),)

    def __init__(
        self, *, pipeline: str, candidate: str, training: Any, partition: str = LOGICAL_DAY, **kwargs: Any
    ) -> None:
        super().__init__(pipeline=pipeline, partition=partition, **kwargs)
        self.candidate = candidate
        self.training = training

    def run_step(self, pipeline: Pipeline, partition: date, settings: Settings, context: Context) -> Fitted:
        """Fit."""
        from airloom.steps.fit import fit

        return fit(pipeline, partition, self.candidate, TrainingSet.model_validate(self.training), settings)


class EvaluateOperator(StepOperator):
    """Score every candidate and the champion on the same rows; the best candidate becomes the challenger.

    Args:
        pipeline: Name of the pipeline.
        training: The record of the training set.
        fitted: The records of the candidates that could be trained.
        partition: The day; by default the run's logical date.
    """

    template_fields: Sequence[str] = (*StepOperator.template_fields, "training", "fitted")
    operator_extra_links = (ModelVersionLink(),)

    def __init__(
        self, *, pipeline: str, training: Any, fitted: Any, partition: str = LOGICAL_DAY, **kwargs: Any
    ) -> None:
        super().__init__(pipeline=pipeline, partition=partition, **kwargs)
        self.training = training
        self.fitted = fitted

    def run_step(self, pipeline: Pipeline, partition: date, settings: Settings, context: Context) -> Evaluation:
        """Evaluate."""
        from airloom.steps.evaluate import evaluate
        from airloom.stores.ledger import Ledger

        champion = Ledger(settings.state_url).champion_as_of(pipeline.name, partition)
        return evaluate(
            pipeline,
            partition,
            TrainingSet.model_validate(self.training),
            _fitted(self.fitted),
            champion.version if champion else None,
            settings,
        )


class DecideOperator(StepOperator):
    """Lay the evaluation before the gate and keep the verdict.

    Args:
        pipeline: Name of the pipeline.
        evaluation: The record of the evaluation.
        partition: The day; by default the run's logical date.
    """

    template_fields: Sequence[str] = (*StepOperator.template_fields, "evaluation")

    def __init__(self, *, pipeline: str, evaluation: Any, partition: str = LOGICAL_DAY, **kwargs: Any) -> None:
        super().__init__(pipeline=pipeline, partition=partition, **kwargs)
        self.evaluation = evaluation

    def run_step(self, pipeline: Pipeline, partition: date, settings: Settings, context: Context) -> Decided:
        """Decide."""
        from airloom.steps.decide import decide

        return decide(pipeline, partition, Evaluation.model_validate(self.evaluation), settings)


class ApplyOperator(StepOperator):
    """Apply a verdict: the only operator that moves a champion.

    Args:
        pipeline: Name of the pipeline.
        decided: The record of the verdict.
        partition: The day; by default the run's logical date.
    """

    template_fields: Sequence[str] = (*StepOperator.template_fields, "decided")
    operator_extra_links = (ModelVersionLink(),)

    def __init__(self, *, pipeline: str, decided: Any, partition: str = LOGICAL_DAY, **kwargs: Any) -> None:
        super().__init__(pipeline=pipeline, partition=partition, **kwargs)
        self.decided = decided

    def run_step(self, pipeline: Pipeline, partition: date, settings: Settings, context: Context) -> Applied:
        """Apply."""
        from airloom.steps.apply import apply

        actor = f"{self.dag_id} {context['run_id']}"
        return apply(pipeline, partition, Decided.model_validate(self.decided).verdict, settings, actor)


def _fitted(records: Iterable[Any]) -> list[Fitted]:
    """Leave out the candidates that failed: they have no record."""
    return [Fitted.model_validate(each) for each in records if each is not None]
