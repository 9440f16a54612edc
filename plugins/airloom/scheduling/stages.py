"""The DAG of a stage: everything that the stages of all pipelines have in common."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from inspect import cleandoc
from typing import Any

from airflow.sdk import DAG, Asset, Param

from airloom.core.declaration import read_pipelines
from airloom.core.pipeline import Pipeline
from airloom.core.settings import Settings
from airloom.scheduling.timetable import Nightly

RETRIES = 2
#: What runs for long and needs much memory has Celery workers of its own; other executors do not care.
QUEUES = {"train": "training"}
#: What Airflow shows of a stage's DAG, below what the stage does.
_BY_HAND = """
*Run a day, or run it again*: `airloom run {pipeline} --stage {stage} --day YYYY-MM-DD`; without `--stage`, all stages.
In this page: Airflow has one run for a day. *Clear* the day's run in the grid, or *Trigger* one where there is none,
with the day at 00:00 UTC as logical date in place of the current moment; triggering a day twice is an error.
"""


def pipelines() -> list[Pipeline]:
    """Return every pipeline that can be read; `dags/declarations.py` reports those that cannot."""
    return read_pipelines(Settings.from_environment().include)[0]


def stage_dag(pipeline: Pipeline, stage: str, doc: str) -> DAG:
    """Make the nightly DAG of one stage of one pipeline.

    Args:
        pipeline: The declaration.
        stage: Name of the stage.
        doc: What the stage does, in Markdown.
    """
    schedule = pipeline.schedule
    return DAG(
        schedule=Nightly(schedule.nightly, schedule.timezone, f"{pipeline.name}.{stage}"),
        start_date=_logical_date(schedule.start),
        end_date=_logical_date(schedule.end) if schedule.end else None,
        catchup=False,
        **_common(pipeline, stage, cleandoc(doc) + "\n" + _BY_HAND.format(pipeline=pipeline.name, stage=stage)),
    )


def action_dag(pipeline: Pipeline, action: str, doc: str, params: dict[str, Param]) -> DAG:
    """Make a DAG that runs when a person triggers it.

    Args:
        pipeline: The declaration.
        action: What it is for.
        doc: What it does, in Markdown.
        params: What the person is asked.
    """
    return DAG(
        schedule=None,
        params=params,
        max_active_runs=1,
        # It runs when a person asks, who should not find it paused.
        is_paused_upon_creation=False,
        **_common(pipeline, action, doc),
    )


def asset(pipeline: Pipeline, name: str) -> Asset:
    """Return the asset that a stage publishes: `raw`, `features`, `champion` or `predictions`."""
    return Asset(name=f"{pipeline.name}.{name}", uri=f"airloom://{pipeline.name}/{name}", group=pipeline.name)


def _common(pipeline: Pipeline, name: str, doc: str) -> dict[str, Any]:
    """Return what all DAGs of a pipeline have in common."""
    return {
        "dag_id": f"{pipeline.name}.{name}",
        "description": cleandoc(doc).splitlines()[0],
        "doc_md": f"{cleandoc(doc)}\n\n---\n*{pipeline.name}*: {pipeline.description}",
        "tags": [pipeline.name, name, "airloom"],
        "default_args": {
            "owner": pipeline.owner,
            "queue": QUEUES.get(name, "default"),
            "pipeline": pipeline.name,
            "retries": RETRIES,
            "retry_delay": timedelta(seconds=10),
            "retry_exponential_backoff": True,
        },
    }


def _logical_date(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
