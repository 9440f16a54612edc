"""Write, audit, publish: one day of the source becomes one published partition of every raw table.

One Airflow DAG per pipeline: `extract` stages the day, `validate` audits every table with Great Expectations,
`publish` replaces the partition in the lake in one atomic commit per table. A critical failure stops the day: it is
kept in quarantine with the reason, and nothing of it can be read downstream. Once the source is
right, run the day again with `airloom run`, as below; running it twice changes nothing.
"""

from airloom.operators.ingest import ExtractOperator, PublishOperator, ValidateOperator
from airloom.scheduling.stages import asset, pipelines, stage_dag

for pipeline in pipelines():
    with stage_dag(pipeline, "ingest", doc=__doc__):
        extract = ExtractOperator(task_id="extract")
        validate = ValidateOperator.partial(task_id="validate", map_index_template="{{ task.table }}").expand(
            table=list(pipeline.tables)
        )
        publish = PublishOperator(task_id="publish", validations=validate.output, outlets=[asset(pipeline, "raw")])

        extract >> validate >> publish
