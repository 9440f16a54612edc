"""Operators of the champion DAG: what a person wants is chosen, proven and applied."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

from airloom.core.errors import UsageError
from airloom.core.pipeline import Pipeline
from airloom.core.records import Applied, Chosen, Proven
from airloom.core.settings import Settings
from airloom.operators.links import ModelVersionLink
from airloom.operators.step import LOGICAL_DAY, StepOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

#: Who has triggered the run: Airflow knows, and has let them.
TRIGGERED_BY = "{{ dag_run.triggering_user_name or 'unknown' }}"


class ChooseOperator(StepOperator):
    """Check what a person wants to be champion; nothing is changed yet.

    Args:
        pipeline: Name of the pipeline.
        action: `rollback` or `promote`.
        version: The version; may be empty for a rollback, to the champion before this one.
        reason: Why.
        actor: Who wants it; by default the user who triggered the run.
        partition: The day from which it is to be champion; when empty, the newest one that can be scored.
    """

    template_fields: Sequence[str] = (*StepOperator.template_fields, "action", "version", "reason", "actor")

    def __init__(
        self,
        *,
        pipeline: str,
        action: str,
        version: str,
        reason: str,
        actor: str = TRIGGERED_BY,
        partition: str = LOGICAL_DAY,
        **kwargs: Any,
    ) -> None:
        super().__init__(pipeline=pipeline, partition=partition, **kwargs)
        self.action = action
        self.version = version
        self.reason = reason
        self.actor = actor

    def day(self, pipeline: Pipeline, settings: Settings) -> date:
        """Return the day that was asked for, or the newest one that can be scored."""
        from airloom.steps.reconcile import current_partition

        return super().day(pipeline, settings) if self.partition else current_partition(pipeline, settings)

    def run_step(self, pipeline: Pipeline, partition: date, settings: Settings, context: Context) -> Chosen:
        """Choose."""
        from airloom.steps.choose import choose

        if self.version and not self.version.isdigit():
            raise UsageError("This is not a version.", found=repr(self.version), expected="a number")
        version = int(self.version) if self.version else None
        return choose(pipeline, partition, self.action, version, self.actor, self.reason, settings)


class ProveChoiceOperator(StepOperator):
    """Load the chosen version and let it score; a version that cannot is not made champion.

    Args:
        pipeline: Name of the pipeline.
        chosen: The record of the choice.
        partition: The day; by default the run's logical date.
    """

    template_fields: Sequence[str] = (*StepOperator.template_fields, "chosen")

    def __init__(self, *, pipeline: str, chosen: Any, partition: str = LOGICAL_DAY, **kwargs: Any) -> None:
        super().__init__(pipeline=pipeline, partition=partition, **kwargs)
        self.chosen = chosen

    def run_step(self, pipeline: Pipeline, partition: date, settings: Settings, context: Context) -> Proven:
        """Prove."""
        from airloom.steps.prove import prove_choice

        return prove_choice(pipeline, Chosen.model_validate(self.chosen), settings)


class ApplyChoiceOperator(StepOperator):
    """Make the chosen version the champion, unless somebody has moved it meanwhile.

    Args:
        pipeline: Name of the pipeline.
        chosen: The record of the choice.
        partition: The day; by default the run's logical date.
    """

    template_fields: Sequence[str] = (*StepOperator.template_fields, "chosen")
    operator_extra_links = (ModelVersionLink(),)

    def __init__(self, *, pipeline: str, chosen: Any, partition: str = LOGICAL_DAY, **kwargs: Any) -> None:
        super().__init__(pipeline=pipeline, partition=partition, **kwargs)
        self.chosen = chosen

    def run_step(self, pipeline: Pipeline, partition: date, settings: Settings, context: Context) -> Applied:
        """Apply."""
        from airloom.steps.apply import apply_choice

        return apply_choice(pipeline, Chosen.model_validate(self.chosen), settings)
