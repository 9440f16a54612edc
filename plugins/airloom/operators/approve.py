"""The operator that asks a person before the champion is moved."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.hitl import ApprovalOperator, HITLOperator
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from airloom.core.declaration import find_pipeline
from airloom.core.errors import AirloomError
from airloom.core.partitions import parse_partition
from airloom.core.records import Answered, Decided
from airloom.core.report import markdown
from airloom.core.settings import Settings
from airloom.core.verdict import Verdict
from airloom.operators.step import LOGICAL_DAY

if TYPE_CHECKING:
    from airflow.sdk import Context


class ApproveOperator(ApprovalOperator):
    """Show a verdict that would move the champion to a person, and wait for *Approve* or *Reject*.

    The task waits without a worker. A verdict that moves nobody needs no answer: the task is skipped. When the time is
    over, the answer is no. What was said is for the next task, which keeps it and moves the champion or does not.

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
        verdict = self._verdict()
        if not verdict.accepted:
            raise AirflowSkipException(f"The verdict is {verdict.outcome}: the champion stays, and nobody is asked.")
        self.subject = f"Shall version {verdict.challenger.version} be the champion of {self.pipeline}?"
        self.body = markdown(verdict)
        super().execute(context)

    def execute_complete(self, context: Context, event: dict[str, Any]) -> dict[str, Any]:
        """Return what was said."""
        said = HITLOperator.execute_complete(self, context, event)
        user = said["responded_by_user"]
        who = str(user["name"] or user["id"]) if user else "nobody"
        approved = bool(user) and said["chosen_options"] == [self.APPROVE]
        words = f"{'approved' if approved else 'declined'} by {who}" if user else "nobody has answered in time"
        answer = Answered(
            pipeline=self.pipeline,
            partition=parse_partition(self.partition),
            headline=words,
            approved=approved,
            actor=who,
        )
        self.log.info("%s %s: %s", self.pipeline, self.partition, words)
        return answer.to_xcom()

    def _verdict(self) -> Verdict:
        from airloom.stores.ledger import Ledger

        settings = Settings.from_environment()
        try:
            parse_partition(self.partition)
            find_pipeline(settings.include, self.pipeline)
            return Ledger(settings.state_url).verdict(Decided.model_validate(self.decided).verdict)
        except AirloomError as error:
            raise AirflowFailException(str(error)) from error
