"""Predict with the champion as of the day, one atomic commit per partition.

One Airflow DAG per pipeline: `await_inputs` waits for the day's features, for the rows to score and for trainings
that are under way. `score` uses the champion that was effective on the day, so a day of the past is scored as it
would have been then; later days whose inputs have changed are scored again. Features that are not what today's inputs,
SQL and types give are computed again first, or not used. Without a champion the run ends as
skipped. `review` looks back on what the day's labels show: whether a champion of four weeks ago was a better one, and
whether the champion of now is better than the average.
"""

from airloom.operators.score import ReviewOperator, ScoreOperator
from airloom.operators.waiting import AwaitInputsOperator
from airloom.scheduling.stages import asset, pipelines, stage_dag

for pipeline in pipelines():
    with stage_dag(pipeline, "score", doc=__doc__):
        await_inputs = AwaitInputsOperator(task_id="await_inputs", stage="score")
        score = ScoreOperator(task_id="score", outlets=[asset(pipeline, "predictions")])
        review = ReviewOperator(task_id="review")

        await_inputs >> score >> review
