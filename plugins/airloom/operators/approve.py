"""The operator that asks a person before the champion is moved."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.hitl import ApprovalOperator, HITLOperator
from airflow.sdk.exceptions import TaskAwaitingInput

from airloom.connections import use_connections
from airloom.core.declaration import find_pipeline
from airloom.core.errors import GateError
from airloom.core.partitions import parse_partition, partition_to_run
from airloom.core.records import Answered, Dataset, Decided
from airloom.core.report import question
from airloom.core.settings import Settings
from airloom.core.verdict import Verdict
from airloom.operators.errors import airflow_errors
from airloom.operators.lineage import LineageOperator
from airloom.operators.step import LOGICAL_DAY

if TYPE_CHECKING:
    from airflow.sdk import Context


class ApproveOperator(ApprovalOperator, LineageOperator):
    """Show a verdict that would move the champion to a person, and wait for *Approve* or *Reject*.

    The task waits without a worker. A verdict that moves nobody, or has done so before, needs no answer: the task is
    skipped. When the time is over, the answer is no. What was said is for the next task, which keeps it and moves the
    champion or does not.

    Args:
        pipeline: Name of the pipeline.
        decided: The record of the verdict.
        timeout: How long to wait for an answer.
        partition: The day; by default the run's logical date.
    """

    template_fields: Sequence[str] = ("pipeline", "decided", "partition", "subject", "body")

    def __init__(
        self, *, pipeline: str, decided: Any, timeout: timedelta, partition: str = LOGICAL_DAY, **kwargs: Any
    ) -> None:
        super().__init__(
            subject=f"Shall there be another champion of {pipeline}?",
            defaults=self.REJECT,
            response_timeout=timeout,
            **kwargs,
        )
        self.pipeline = pipeline
        self.decided = decided
        self.timeout = timeout
        self.partition = partition

    def execute(self, context: Context) -> None:
        """Ask, unless there is nothing to ask."""
        with airflow_errors(self):
            verdict = self._question()
            self.subject, self.body = question(verdict, self.timeout)
            self._require_shown(verdict, context)
        try:
            super().execute(context)
        except TaskAwaitingInput as wait:
            # Whatever is decided while the task waits, the answer is to what was shown.
            wait.kwargs = {"asked": verdict.id}
            raise

    def execute_complete(self, context: Context, event: dict[str, Any], asked: str = "") -> dict[str, Any]:
        """Return what was said, and to which verdict."""
        # Not the parent's: it would skip the next task after a no, and that task has to keep it.
        said = HITLOperator.execute_complete(self, context, event)
        user = said["responded_by_user"]
        who = str(user["name"] or user["id"]) if user else "nobody"
        approved = bool(user) and said["chosen_options"] == [self.APPROVE]
        words = f"{'approved' if approved else 'declined'} by {who}" if user else "nobody has answered in time"
        partition = parse_partition(self.partition)
        answer = self.record = Answered(
            pipeline=self.pipeline,
            partition=partition,
            headline=words,
            inputs=(Dataset(name="verdict", partition=partition, version=asked),),
            verdict=asked,
            approved=approved,
            actor=who,
        )
        self.log.info("%s %s: %s", self.pipeline, self.partition, words)
        return answer.to_xcom()

    def _question(self) -> Verdict:
        """Return the verdict to be answered."""
        from airloom.steps.ask import ask

        use_connections()
        settings = Settings.from_environment()
        pipeline = find_pipeline(settings.include, self.pipeline)
        partition_to_run(self.partition, pipeline.schedule.timezone)
        return ask(Decided.model_validate(self.decided).verdict, settings)

    def _require_shown(self, verdict: Verdict, context: Context) -> None:
        """Make sure that people will see this verdict.

        Airflow keeps one question per task of a run and shows the first one for ever, also after the run was cleared
        and something else is asked.
        """
        from airflow.sdk.api.datamodels._generated import HITLUser
        from airflow.sdk.execution_time.comms import CreateHITLDetailPayload, HITLDetailRequestResult
        from airflow.sdk.execution_time.task_runner import SUPERVISOR_COMMS

        shown = SUPERVISOR_COMMS.send(
            CreateHITLDetailPayload(
                ti_id=context["ti"].id,
                options=self.options,
                subject=self.subject,
                body=self.body,
                defaults=self.defaults,
                params=self.serialized_params,
                assigned_users=[HITLUser(**user) for user in self.assigned_users or ()],
            )
        )
        if not isinstance(shown, HITLDetailRequestResult) or verdict.id not in (shown.body or ""):
            raise GateError(
                "Airflow would show the question that this run has asked before, about another verdict.",
                expected=self.subject,
                do=f"delete the run in Airflow's UI, then: airloom backfill {self.pipeline} --stage train "
                f"--from {self.partition} --to {self.partition}",
            )
