"""Whether Celery's broker answers, and workers for every queue."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from airloom.core.errors import SetupError
from airloom.core.urls import without_credentials
from airloom.launcher.doctor.findings import Finding, ok, warning, wrong
from airloom.launcher.doctor.quoting import plain
from airloom.launcher.doctor.subject import Subject

if TYPE_CHECKING:
    from celery import Celery

_CONNECT_SECONDS, _ANSWER_SECONDS = 5, 5


def workers(subject: Subject) -> Iterator[Finding]:
    """Ask every worker for its queues, where the executor hands tasks to workers."""
    from airflow.configuration import conf

    from airloom.scheduling.stages import QUEUES

    executor = str(conf.get("core", "executor"))
    if "Celery" not in executor:
        yield ok("workers", f"not used: {executor} runs tasks itself")
        return
    served = _served(str(conf.get("celery", "broker_url")))
    for queue in ("default", *QUEUES.values()):
        if names := served.get(queue):
            yield ok("workers", f"queue {queue}: {', '.join(sorted(names))}")
        elif queue in _on_demand(subject):
            do = "tasks that wait for it start some; where they wait for minutes: kubectl get scaledobject"
            yield warning("workers", f"no worker answers for the queue {queue}, which has some on demand only", do)
        else:
            start = f"airloom exec -- airflow celery worker --queues {queue}"
            yield wrong("workers", f"no worker answers for the queue {queue}", f"start one: {start}")


def _on_demand(subject: Subject) -> list[str]:
    """Return the queues whose workers are started when tasks wait, by something like KEDA."""
    return [name.strip() for name in subject.variables.get("AIRLOOM_QUEUES_ON_DEMAND", "").split(",")]


def _served(broker: str) -> dict[str, list[str]]:
    """Return the workers of each queue."""
    app = _app()
    try:
        with app.connection_for_write(connect_timeout=_CONNECT_SECONDS) as connection:
            connection.ensure_connection(max_retries=1, interval_start=0, timeout=_CONNECT_SECONDS)
            answers = app.control.inspect(timeout=_ANSWER_SECONDS, connection=connection).active_queues()
    except Exception as error:
        if not isinstance(error, _failures(app)):
            raise
        raise SetupError(
            "The broker of Celery cannot be used.",
            where=without_credentials(broker),
            found=plain(error),
            do="start it, or correct AIRFLOW__CELERY__BROKER_URL",
        ) from None
    return _by_queue(answers or {})


def _app() -> Celery:
    """Return an app as Airflow makes its own, which fails instead of waiting."""
    from airflow.configuration import conf
    from airflow.providers.celery.executors.default_celery import get_default_celery_config
    from celery import Celery

    config = get_default_celery_config(conf)
    patience = {"socket_connect_timeout": _CONNECT_SECONDS, "socket_timeout": _CONNECT_SECONDS + _ANSWER_SECONDS}
    config["broker_transport_options"] = {**config.get("broker_transport_options", {}), **patience}
    return Celery("airloom-doctor", config_source=config, set_as_current=False)


def _failures(app: Celery) -> tuple[type[Exception], ...]:
    """Return what goes wrong with a broker, and not with us."""
    from kombu.exceptions import KombuError

    connection = app.connection_for_write()
    return (*connection.connection_errors, *connection.channel_errors, KombuError, OSError)


def _by_queue(answers: dict[str, Any]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for worker, queues in answers.items():
        for queue in queues:
            found.setdefault(queue["name"], []).append(worker)
    return found
