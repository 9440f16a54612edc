"""Airloom's operators in a DAG of your own: audit one table and score one day, without the prebuilt stages.

Every operator can be used alone. This DAG has no schedule; trigger it with a logical date, or try it from a shell:
`airflow dags test hand_written 2013-02-10`.
"""

from airflow.sdk import DAG

from airloom.operators.ingest import ExtractOperator, ValidateOperator
from airloom.operators.score import ScoreOperator

with DAG(
    "hand_written",
    description="Airloom's operators in a DAG of your own",
    doc_md=__doc__,
    schedule=None,
    is_paused_upon_creation=True,
    tags=["example", "airloom"],
    default_args={"pipeline": "flight_delays", "owner": "you"},
):
    extract = ExtractOperator(task_id="extract")
    audit_weather = ValidateOperator(task_id="audit_weather", table="weather")
    score = ScoreOperator(task_id="score")

    extract >> audit_weather >> score
