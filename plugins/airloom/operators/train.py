"""Operators of the train stage: label, assemble, fit, evaluate, prove, decide, apply, and the note of a failure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

from airloom.core.pipeline import Pipeline
from airloom.core.records import Answered, Applied, Decided, Evaluation, Fitted, Labelled, Proven, Record, TrainingSet
from airloom.core.settings import Settings
from airloom.operators.links import ModelRunLink, ModelVersionLink
from airloom.operators.step import LOGICAL_DAY, StepOperator

if TYPE_CHECKING:
    from airflow.sdk import Context


class LabelOperator(StepOperator):
    """Compute the labels of the training window by the declared query, where they are not of what is published.

    Args:
        pipeline: Name of the pipeline.
        partition: The day; by default the run's logical date.
    """

    def run_step(self, pipeline: Pipeline, partition: date, settings: Settings, context: Context) -> Labelled:
        """Label."""
        from airloom.steps.label import compute_labels

        return compute_labels(pipeline, partition, settings)


class AssembleOperator(StepOperator):
    """Join labels and features point in time into the night's training set.

    Args:
        pipeline: Name of the pipeline.
        partition: The day; by default the run's logical date.
    """

    def run_step(self, pipeline: Pipeline, partition: date, settings: Settings, context: Context) -> TrainingSet:
        """Assemble."""
        from airloom.steps.assemble import assemble
        from airloom.steps.circuit import require_training

        training = assemble(pipeline, partition, settings)
        require_training(pipeline, training, settings)
        return training


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
        from airloom.steps.circuit import require_training
        from airloom.steps.evaluate import evaluate
        from airloom.steps.reconcile import reconcile
        from airloom.stores.ledger import Ledger

        training = TrainingSet.model_validate(self.training)
        require_training(pipeline, training, settings)
        reconcile(pipeline, settings)
        champion = Ledger(settings.state_url).champion_as_of(pipeline.name, partition)
        version = champion.version if champion else None
        return evaluate(pipeline, partition, training, _fitted(self.fitted), version, settings)


class ProveOperator(StepOperator):
    """Load the challenger from the registry, in a process that has not trained it, and compare what it predicts.

    Args:
        pipeline: Name of the pipeline.
        evaluation: The record of the evaluation.
        partition: The day; by default the run's logical date.
    """

    template_fields: Sequence[str] = (*StepOperator.template_fields, "evaluation")

    def __init__(self, *, pipeline: str, evaluation: Any, partition: str = LOGICAL_DAY, **kwargs: Any) -> None:
        super().__init__(pipeline=pipeline, partition=partition, **kwargs)
        self.evaluation = evaluation

    def run_step(self, pipeline: Pipeline, partition: date, settings: Settings, context: Context) -> Proven:
        """Prove."""
        from airloom.steps.prove import prove

        return prove(pipeline, partition, Evaluation.model_validate(self.evaluation), settings)


class DecideOperator(StepOperator):
    """Lay the evaluation before the gate and keep the verdict.

    Args:
        pipeline: Name of the pipeline.
        evaluation: The record of the evaluation.
        proven: The record of the proof that the challenger can serve.
        partition: The day; by default the run's logical date.
    """

    template_fields: Sequence[str] = (*StepOperator.template_fields, "evaluation", "proven")

    def __init__(
        self, *, pipeline: str, evaluation: Any, proven: Any, partition: str = LOGICAL_DAY, **kwargs: Any
    ) -> None:
        super().__init__(pipeline=pipeline, partition=partition, **kwargs)
        self.evaluation = evaluation
        self.proven = proven

    def run_step(self, pipeline: Pipeline, partition: date, settings: Settings, context: Context) -> Decided:
        """Decide."""
        from airloom.steps.decide import decide

        evaluation, proven = Evaluation.model_validate(self.evaluation), Proven.model_validate(self.proven)
        return decide(pipeline, partition, evaluation, proven, settings)


class ApplyOperator(StepOperator):
    """Apply a verdict: the only operator that moves a champion.

    A verdict that came too late is judged again, once, against the current champion.

    Args:
        pipeline: Name of the pipeline.
        decided: The record of the verdict.
        evaluation: The record of the evaluation, for the second judgement; without one there is none.
        answer: What a person has said to it, where the pipeline asks for approval.
        partition: The day; by default the run's logical date.
    """

    template_fields: Sequence[str] = (*StepOperator.template_fields, "decided", "evaluation", "answer")
    operator_extra_links = (ModelVersionLink(),)

    def __init__(
        self,
        *,
        pipeline: str,
        decided: Any,
        evaluation: Any = None,
        answer: Any = None,
        partition: str = LOGICAL_DAY,
        **kwargs: Any,
    ) -> None:
        super().__init__(pipeline=pipeline, partition=partition, **kwargs)
        self.decided = decided
        self.evaluation = evaluation
        self.answer = answer

    def run_step(self, pipeline: Pipeline, partition: date, settings: Settings, context: Context) -> Applied:
        """Apply."""
        from airloom.steps.apply import apply

        answer = Answered.model_validate(self.answer) if self.answer else None
        evaluation = Evaluation.model_validate(self.evaluation) if self.evaluation else None
        verdict, actor = Decided.model_validate(self.decided).verdict, f"{self.dag_id} {context['run_id']}"
        return apply(pipeline, partition, verdict, settings, actor, answer, evaluation)


class NoteFailureOperator(StepOperator):
    """Keep that the night's training has failed; too many of them in a row pause it.

    Args:
        pipeline: Name of the pipeline.
        partition: The day; by default the run's logical date.
    """

    def run_step(self, pipeline: Pipeline, partition: date, settings: Settings, context: Context) -> Record:
        """Note."""
        from airloom.steps.circuit import note_failure

        return note_failure(pipeline, partition, settings, f"{self.dag_id} {context['run_id']}")


def _fitted(records: Iterable[Any]) -> list[Fitted]:
    """Leave out the candidates that failed: they have no record."""
    return [Fitted.model_validate(each) for each in records if each is not None]
