"""Every check, in the order in which findings are told; what asks different servers is asked at the same time."""

from __future__ import annotations

import os
import threading
import time

from airloom.core.errors import AirloomError
from airloom.core.settings import Settings
from airloom.launcher.doctor.airflow import airflow
from airloom.launcher.doctor.dags import dags
from airloom.launcher.doctor.databases import airflow_database, state_database
from airloom.launcher.doctor.features import features
from airloom.launcher.doctor.findings import Check, Finding, skipped, told, wrong
from airloom.launcher.doctor.lineage import lineage
from airloom.launcher.doctor.loading import load_libraries
from airloom.launcher.doctor.lost import lost_champions
from airloom.launcher.doctor.machine import disk, ports
from airloom.launcher.doctor.models import champions, mlflow
from airloom.launcher.doctor.online import online_store
from airloom.launcher.doctor.packages import packages
from airloom.launcher.doctor.predictions import predictions
from airloom.launcher.doctor.published import published_days
from airloom.launcher.doctor.secrets import secrets
from airloom.launcher.doctor.settings import settings
from airloom.launcher.doctor.storage import storage
from airloom.launcher.doctor.subject import Subject, meet
from airloom.launcher.doctor.workers import workers
from airloom.launcher.ports import Ports

_MACHINE = (Check("packages", packages), Check("secrets", secrets), Check("ports", ports), Check("disk", disk))
_SETTINGS = Check("settings", settings)
_STATE = "state database"
#: Servers that do not answer are given up after some seconds; this is for one that takes questions and never answers.
_SECONDS = 55.0

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
    (
        Check("storage", storage),
        Check("published days", published_days, needs=("storage",)),
        Check("lost champions", lost_champions, needs=("storage",)),
    ),
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
        return [*_looked((_MACHINE,), _without_settings()), told(_SETTINGS.name, error)]
    load_libraries()
    return _looked(CHECKS, subject)


def _looked(lines: tuple[tuple[Check, ...], ...], subject: Subject) -> list[Finding]:
    """Make the checks of every line at the same time, for as long as people wait."""
    made = [_Line(line, subject) for line in lines]
    until = time.monotonic() + _SECONDS
    for line in made:
        line.start()
    for line in made:
        line.join(max(0.0, until - time.monotonic()))
    return [finding for line in made for finding in line.told()]


class _Line(threading.Thread):
    """Makes checks one after the other; the command does not wait for one that never ends.

    Args:
        checks: The checks; one that needs what is wrong is not made.
        subject: What is looked at.
    """

    def __init__(self, checks: tuple[Check, ...], subject: Subject) -> None:
        super().__init__(daemon=True)
        self.checks, self.subject = checks, subject
        self.found: list[list[Finding]] = []

    def run(self) -> None:
        """Make every check."""
        wrongs: set[str] = set()
        for check in self.checks:
            missing = [name for name in check.needs if name in wrongs]
            found = [_skipped(check, missing[0])] if missing else check.findings(self.subject)
            wrongs |= {each.check for each in found if each.state == "wrong"}
            self.found.append(found)

    def told(self) -> list[Finding]:
        """Return what was found until now, and which check has not ended."""
        done = list(self.found)
        findings = [finding for found in done for finding in found]
        if late := self.checks[len(done) :]:
            do = "look at the server that it asks: it may hang, or somebody may keep a lock"
            findings.append(wrong(late[0].name, f"no answer within {_SECONDS:g} s", do))
        return findings + [_skipped(check, late[0].name) for check in late[1:]]


def _skipped(check: Check, first: str) -> Finding:
    return skipped(check.name, f"not looked at: {first} comes first")


def _without_settings() -> Subject:
    places = {name: os.environ.get(name, "") for name in ("AIRLOOM_PROJECT", "AIRLOOM_VAR")}
    return Subject(Settings.from_environment(places), Ports(), dict(os.environ))
