"""Whether MLflow can be used, and its alias says what the ledger says."""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib.metadata import version

from airloom.core.declaration import read_pipelines
from airloom.core.errors import SetupError
from airloom.core.urls import without_credentials
from airloom.launcher.doctor.artifacts import require_artifacts
from airloom.launcher.doctor.findings import Finding, ok, warning, wrong
from airloom.launcher.doctor.quoting import plain
from airloom.launcher.doctor.subject import Subject
from airloom.launcher.doctor.writing import STATE_DATABASE, STATE_URL, refusals
from airloom.stores.ledger import Ledger
from airloom.stores.models import ModelRegistry
from airloom.stores.tracking import has_tables, open_client

_SECONDS = 5.0
_CLIENT = "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD"


def mlflow(subject: Subject) -> Iterator[Finding]:
    """Compare the server's version with the client's, or look for the tables, and keep a file of a model."""
    from mlflow.exceptions import MlflowException

    url, ours = subject.settings.tracking_url, version("mlflow")
    if url:
        _require_version(url, _server_version(url), ours)
        said = f"{without_credentials(url)} answers, version {ours}"
    elif has_tables(subject.settings):
        said = f"tables of version {ours} in the state database"
    else:
        raise SetupError("MLflow has no tables in the state database yet.", do="run: airloom upgrade")
    pipelines, _ = read_pipelines(subject.settings.include)
    try:
        open_client(subject.settings)
        require_artifacts(subject.settings, pipelines)
    except MlflowException as error:
        raise SetupError(
            "MLflow cannot be used.",
            where=without_credentials(url) or "the state database",
            found=plain(error),
            do="keep a copy of its database, then run: mlflow db upgrade" if not url else f"look at {_CLIENT}",
        ) from None
    yield ok("MLflow", f"{said}; files of models can be written, read and removed")


def _server_version(url: str) -> str:
    import httpx

    login = os.environ.get("MLFLOW_TRACKING_USERNAME", ""), os.environ.get("MLFLOW_TRACKING_PASSWORD", "")
    try:
        answer = httpx.get(f"{url.rstrip('/')}/version", timeout=_SECONDS, auth=login if any(login) else None)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise SetupError(
            "MLflow's server does not answer.",
            where=without_credentials(url),
            found=plain(error) or type(error).__name__,
            do="start it, or correct AIRLOOM_TRACKING_URL",
        ) from None
    if answer.is_success:
        return answer.text.strip()
    raise SetupError(
        "MLflow's server refuses to answer.",
        where=without_credentials(url),
        found=f"{answer.status_code} {answer.reason_phrase}",
        do=f"look at {_CLIENT}, and at --allowed-hosts of the server",
    )


def _require_version(url: str, theirs: str, ours: str) -> None:
    if theirs.split(".")[:2] != ours.split(".")[:2]:
        raise SetupError(
            "MLflow's server is not of the version of its client.",
            where=without_credentials(url),
            found=f"{theirs[:40]} on the server, {ours} here",
            do=f"run the server with mlflow=={ours}",
        )


def champions(subject: Subject) -> Iterator[Finding]:
    """Compare the alias of every pipeline with the newest champion of the ledger; nothing is repaired."""
    pipelines, _ = read_pipelines(subject.settings.include)
    for pipeline in pipelines:
        name = pipeline.name
        with refusals(subject.settings.state_url, STATE_DATABASE, STATE_URL):
            head = Ledger(subject.settings.state_url).head(name)
        yield _judge(name, head.version if head else None, ModelRegistry(subject.settings, name).alias())
        if pipeline.artifacts.pickle == "allow":
            said = f"{name}: files of its models may be pickles, which run code when they are loaded"
            yield warning("champions", said, "take `artifacts` out of its declaration once no candidate needs it")
    if not pipelines:
        yield ok("champions", "no pipeline that could have one")


def _judge(pipeline: str, champion: int | None, alias: int | None) -> Finding:
    if alias == champion:
        return ok("champions", f"{pipeline}: {_version(alias)} in the ledger and in MLflow")
    said = f"{pipeline}: {_version(champion)} in the ledger, the alias champion in MLflow is {_version(alias)}"
    do = f"the next run of {pipeline}.train makes them agree; who was chosen, and why: airloom ledger {pipeline}"
    return wrong("champions", said, do)


def _version(number: int | None) -> str:
    return f"version {number}" if number is not None else "none"
