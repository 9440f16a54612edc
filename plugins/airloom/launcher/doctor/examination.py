"""Every check, in the order in which findings are told; what asks different servers is asked at the same time."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from airloom.core.errors import AirloomError
from airloom.core.settings import Settings
from airloom.launcher.doctor.airflow import airflow
from airloom.launcher.doctor.dags import dags
from airloom.launcher.doctor.databases import airflow_database, state_database
from airloom.launcher.doctor.features import features
from airloom.launcher.doctor.findings import Check, Finding, ok, told
from airloom.launcher.doctor.lineage import lineage
from airloom.launcher.doctor.machine import disk, ports
from airloom.launcher.doctor.models import champions, mlflow
from airloom.launcher.doctor.online import online_store
from airloom.launcher.doctor.packages import packages
from airloom.launcher.doctor.predictions import predictions
from airloom.launcher.doctor.secrets import secrets
from airloom.launcher.doctor.settings import settings
from airloom.launcher.doctor.storage import storage
from airloom.launcher.doctor.subject import Subject, meet
from airloom.launcher.doctor.workers import workers
from airloom.launcher.ports import Ports

_MACHINE = (Check("packages", packages), Check("secrets", secrets), Check("ports", ports), Check("disk", disk))
_SETTINGS = Check("settings", settings)
_STATE = "state database"

#: Checks of one line are made one after the other, those of several at the same time.
CHECKS = (
    (*_MACHINE, _SETTINGS),
    (
        Check(_STATE, state_database),
        Check("MLflow", mlflow, needs=(_STATE,)),
        Check("champions", champions, needs=(_STATE, "MLflow")),
        Check("features", features, needs=(_STATE,)),
    ),
    (Check("Airflow's database", airflow_database), Check("Airflow", airflow)),
    (Check("storage", storage),),
    (Check("online store", online_store),),
    (Check("predictions", predictions),),
    (Check("workers", workers),),
    (Check("DAGs", dags),),
    (Check("lineage", lineage),),
)


def examine() -> list[Finding]:
    """Look at the installation that the environment names.

    Returns:
        What was found, always in the same order.
    """
    try:
        subject = meet()
    except AirloomError as error:
        # Without its settings only the machine can be looked at.
        return [*_in_turn(_MACHINE, _without_settings()), told(_SETTINGS.name, error)]
    # Loaded once, before several threads would: SQLAlchemy loads Airflow's models while it holds a lock, for which a
    # thread that loads one of them would wait, and neither would ever go on.
    from airflow.models import import_all_models

    import_all_models()  # type: ignore[no-untyped-call]
    with ThreadPoolExecutor(len(CHECKS)) as threads:
        return [finding for line in threads.map(lambda line: list(_in_turn(line, subject)), CHECKS) for finding in line]


def _in_turn(line: tuple[Check, ...], subject: Subject) -> Iterator[Finding]:
    """Make checks one after the other; one that needs what is wrong is not made."""
    wrong: set[str] = set()
    for check in line:
        missing = [name for name in check.needs if name in wrong]
        found = [ok(check.name, f"not looked at: {missing[0]} comes first")] if missing else check.findings(subject)
        wrong |= {each.check for each in found if each.state == "wrong"}
        yield from found


def _without_settings() -> Subject:
    places = {name: os.environ.get(name, "") for name in ("AIRLOOM_PROJECT", "AIRLOOM_VAR")}
    return Subject(Settings.from_environment(places), Ports(), dict(os.environ))
