"""Tasks of operators, run in this process on a project of a test."""

from datetime import UTC, datetime

from airflow.sdk import DAG

from tests.worlds.installation import project_at


def use_project(folder, monkeypatch):
    """Let operators find a project; it is where they keep everything, too."""
    settings = project_at(folder)
    monkeypatch.setenv("AIRLOOM_VAR", str(settings.var))
    monkeypatch.setenv("AIRLOOM_PROJECT", str(folder))
    monkeypatch.setenv("AIRLOOM_STATE_URL", settings.state_url)


def task_of(operator, pipeline, **arguments):
    with DAG(f"{pipeline.name}.stage", schedule=None, start_date=datetime(2013, 1, 1, tzinfo=UTC)):
        return operator(task_id="task", pipeline=pipeline.name, **arguments)
