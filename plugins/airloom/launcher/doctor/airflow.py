"""Whether Airflow answers and each of its components does its work."""

from __future__ import annotations

from collections.abc import Iterator

from airloom.launcher.doctor.findings import Finding, ok, wrong
from airloom.launcher.doctor.subject import Subject
from airloom.launcher.health import unhealthy_at


def airflow(subject: Subject) -> Iterator[Finding]:
    """Ask the API server for the health of every component."""
    started = {} if subject.on_servers else _started(subject)
    if not subject.on_servers and not started:
        yield ok("Airflow", "does not run; airloom up starts it")
        return
    unhealthy = sorted({*unhealthy_at(subject.airflow_url, started), *_ended(subject, started)})
    if not unhealthy:
        said = "answers; scheduler, triggerer and dag-processor are healthy"
        yield ok("Airflow", f"{subject.airflow_url} {said}")
    elif "api-server" in unhealthy:
        yield wrong("Airflow", f"{subject.airflow_url} does not answer", _restart(subject, "api-server"))
    elif "metadatabase" in unhealthy:
        # Without it nothing is known of the others.
        do = "start the database, or correct AIRFLOW__DATABASE__SQL_ALCHEMY_CONN of the API server"
        yield wrong("Airflow", f"{subject.airflow_url} answers, and cannot use Airflow's database", do)
    else:
        said = f"{subject.airflow_url} answers; not healthy: {', '.join(unhealthy)}"
        yield wrong("Airflow", said, _restart(subject, unhealthy[0]))


def _started(subject: Subject) -> dict[str, float]:
    """Return when each component that runs was started."""
    return {server.name: moment for server in subject.services.all if (moment := server.started())}


def _ended(subject: Subject, started: dict[str, float]) -> set[str]:
    """Return what `airloom up` starts and does not run any more."""
    return set() if subject.on_servers else {server.name for server in subject.services.all} - started.keys()


def _restart(subject: Subject, component: str) -> str:
    if subject.on_servers:
        return f"look into the log of the {component} and start it again; AIRLOOM_AIRFLOW_URL names the address"
    return f"look into {subject.settings.var / 'logs' / component}.log, then: airloom up"
