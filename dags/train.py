"""Train every candidate, judge the best against the champion, and promote it if it is better.

One Airflow DAG per pipeline: `assemble` joins labels and features point in time; every candidate is trained by its
own `fit` task and logged to MLflow; `evaluate` scores all of them and the champion on the same rows; `decide` lays
the result before the gate; `apply` is the only task that moves a champion. While the run of an earlier day is under
way, its verdict is awaited. A window that is not complete ends the run as skipped, with the reason.
"""

from airflow.sdk import TriggerRule

from airloom.operators.train import ApplyOperator, AssembleOperator, DecideOperator, EvaluateOperator, FitOperator
from airloom.operators.waiting import AwaitInputsOperator, AwaitVerdictsOperator
from airloom.scheduling.stages import asset, pipelines, stage_dag

for pipeline in pipelines():
    with stage_dag(pipeline, "train", doc=__doc__):
        await_inputs = AwaitInputsOperator(task_id="await_inputs", stage="train")
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
        decide = DecideOperator(task_id="decide", evaluation=evaluate.output)
        apply = ApplyOperator(
            task_id="apply",
            decided=decide.output,
            pool="airloom_champion",
            outlets=[asset(pipeline, "champion")],
        )

        await_inputs >> assemble >> fit >> await_verdicts >> evaluate >> decide >> apply
