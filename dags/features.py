"""Features as they were known at the end of the day, in the lake and in Feast's online store.

One Airflow DAG per pipeline: `await_inputs` waits for the raw partitions of the look-back. `compute` runs the
views' SQL over what was known at the end of the day and publishes one partition per view; later days whose inputs
have changed are computed again, so correcting one day repairs exactly what used it. `materialize` brings them
online; an online value is never replaced by an older one.
"""

from airloom.operators.features import ComputeOperator, MaterializeOperator
from airloom.operators.waiting import AwaitInputsOperator
from airloom.scheduling.stages import asset, pipelines, stage_dag

for pipeline in pipelines():
    with stage_dag(pipeline, "features", doc=__doc__):
        await_inputs = AwaitInputsOperator(task_id="await_inputs", stage="features")
        compute = ComputeOperator(task_id="compute", outlets=[asset(pipeline, "features")])
        materialize = MaterializeOperator(task_id="materialize", computed=compute.output)

        await_inputs >> compute >> materialize
