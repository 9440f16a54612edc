"""Train every candidate, judge the best against the champion, and promote it if it is better.

One Airflow DAG per pipeline: `assemble` joins labels and features point in time, after it has computed again what of
the features is not what today's inputs, SQL and types give; every candidate is trained by its
own `fit` task and logged to MLflow; `evaluate` scores all of them and the champion on the same rows; `prove` loads the
best one from the registry and compares what it predicts with its training; `decide` lays the result before the gate;
`apply` is the only task that moves a champion. Where a query gives the label, `label` computes it first, for the days
that are mature. Where the pipeline asks for approval, `approve` shows a person the verdict first. While the run of an
earlier day is under way, its verdict is awaited; when the champion has moved all the same, the challenger is judged
again, once. A window that is not complete ends the run as skipped, with the reason; so does a pause after too many
nights that brought nothing.
"""

from airflow.sdk import TriggerRule

from airloom.operators.approve import ApproveOperator
from airloom.operators.train import (
    ApplyOperator,
    AssembleOperator,
    DecideOperator,
    EvaluateOperator,
    FitOperator,
    LabelOperator,
    NoteFailureOperator,
    ProveOperator,
)
from airloom.operators.waiting import AwaitInputsOperator, AwaitVerdictsOperator
from airloom.scheduling.stages import asset, pipelines, stage_dag

for pipeline in pipelines():
    with stage_dag(pipeline, "train", doc=__doc__):
        await_inputs = ready = AwaitInputsOperator(task_id="await_inputs", stage="train")
        if pipeline.label.sql is not None:
            ready = LabelOperator(task_id="label")
            await_inputs >> ready
        assemble = AssembleOperator(task_id="assemble")
        fit = FitOperator.partial(
            task_id="fit", training=assemble.output, map_index_template="{{ task.candidate }}"
        ).expand(candidate=list(pipeline.train.candidates))
        await_verdicts = AwaitVerdictsOperator(
            task_id="await_verdicts", trigger_rule=TriggerRule.ALL_DONE_MIN_ONE_SUCCESS
        )
        evaluate = EvaluateOperator(
            task_id="evaluate",
            training=assemble.output,
            fitted=fit.output,
            trigger_rule=TriggerRule.ALL_DONE_MIN_ONE_SUCCESS,
        )
        prove = ProveOperator(task_id="prove", evaluation=evaluate.output)
        decide = DecideOperator(task_id="decide", evaluation=evaluate.output, proven=prove.output)
        answer = None
        if pipeline.promotion.approval == "required":
            approve = ApproveOperator(
                task_id="approve", decided=decide.output, timeout=pipeline.promotion.approval_timeout
            )
            answer = approve.output
        apply = ApplyOperator(
            task_id="apply",
            decided=decide.output,
            evaluation=evaluate.output,
            answer=answer,
            pool="airloom_champion",
            outlets=[asset(pipeline, "champion")],
            # Nobody is asked about a verdict that moves nobody, and it is applied all the same.
            trigger_rule=TriggerRule.NONE_FAILED_MIN_ONE_SUCCESS,
        )
        note_failure = NoteFailureOperator(task_id="note_failure", trigger_rule=TriggerRule.ONE_FAILED)

        ready >> assemble >> fit >> await_verdicts >> evaluate >> prove >> decide >> [apply, note_failure]
