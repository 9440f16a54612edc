"""What the doctor is to say of faults in the running stack, and what it says.

Faults of a round do not hide one another: they are there at the same time, and one look must find them all.
"""

import json
import signal
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass

from tests.system.installation import PIPELINE
from tests.system.planted import (
    broken_pipeline,
    changed,
    deaf_s3,
    forgetful_redis,
    given,
    late_s3,
    moved_alias,
    other_package,
    unknown_s3_key,
    without,
    without_postgres,
    without_redis,
)


@dataclass(frozen=True)
class Said:
    """What is to be found: the check that is red, part of what it says, and part of what it tells people to do."""

    check: str
    found: str
    do: str


@dataclass(frozen=True)
class Fault:
    """Something that goes wrong with a stack.

    `plant` is a context manager, after which it is mended; it may yield variables of the container that is asked.
    """

    name: str
    plant: Callable[..., AbstractContextManager]
    said: tuple[Said, ...]


@dataclass(frozen=True)
class Diagnosis:
    """What the doctor has said of a round, as a program sees it."""

    code: int
    output: str
    errors: str

    @property
    def wrong(self):
        """What is red, by its check."""
        return {each["check"]: each for each in json.loads(self.output) if each["state"] == "wrong"}


def diagnose(stack, faults):
    """Plant faults, ask the doctor, and mend everything."""
    with ExitStack() as planted:
        variables = {}
        for fault in faults:
            variables |= planted.enter_context(fault.plant(stack)) or {}
        done = stack.run("demo", "airloom", "doctor", "--json", check=False, **variables)
    return Diagnosis(done.returncode, done.stdout, done.stderr)


_LINEAGE, _STORAGE, _BROKER = "AIRLOOM_LINEAGE_URL", "AIRLOOM_STORAGE_URL", "AIRFLOW__CELERY__BROKER_URL"

ROUNDS = {
    "what people change": (
        Fault(
            "scheduler stopped",
            without("airflow-scheduler"),
            (Said("Airflow", "not healthy: scheduler", "look into the log of the scheduler and start it again"),),
        ),
        Fault(
            "worker of the trainings killed",
            without("worker-training", signal.SIGKILL),
            (Said("workers", "no worker answers for the queue training", "airflow celery worker --queues training"),),
        ),
        Fault(
            "alias moved by hand",
            moved_alias,
            (Said("champions", "in the ledger, the alias champion in MLflow is version", f"{PIPELINE}.train makes"),),
        ),
        Fault(
            "feature view not registered",
            changed("airloom", "feature_views", "project_id", "elsewhere", "feature_view_name = 'depot_traffic'"),
            (Said("features", f"pipeline {PIPELINE}", "run: airloom apply"),),
        ),
        Fault(
            "tables of another Airflow",
            changed("airflow", "alembic_version", "version_num", "other"),
            (Said("Airflow's database", "revision other", "run: airloom upgrade"),),
        ),
        Fault(
            "Redis that evicts",
            forgetful_redis,
            (Said("Redis keeps features", "maxmemory-policy allkeys-lru", "CONFIG SET maxmemory-policy noeviction"),),
        ),
        Fault(
            "S3 an hour late",
            late_s3,
            (Said("clock of the storage", "s behind this machine's", "set both clocks by NTP"),),
        ),
        Fault(
            "package of another version",
            other_package,
            (Said("packages", "instead of 0.1", "build the image again"),),
        ),
        Fault(
            "pipeline that cannot be read",
            broken_pipeline,
            (Said("DAGs", "include/broken/pipeline.yaml, line 2, key shedule", "correct the file"),),
        ),
        Fault(
            "password that everybody tries",
            given(AIRLOOM_ADMIN_PASSWORD="admin"),
            (Said("secrets", "AIRLOOM_ADMIN_PASSWORD is one that everybody tries first", "openssl rand -hex 24"),),
        ),
        Fault(
            "lineage backend that wants a key",
            # It is no such backend, and refuses whom it does not know, as one would.
            given(**{_LINEAGE: "{airflow}/api/v2/dags"}),
            (Said("lineage", "does not take events. http", "correct AIRLOOM_LINEAGE_API_KEY"),),
        ),
    ),
    "servers that are away": (
        Fault(
            "Redis killed",
            without_redis,
            (
                Said("online store", "cannot be used. redis://127.0.0.1", "that the server runs"),
                Said("workers", "The broker of Celery cannot be used", "start it, or correct AIRFLOW__CELERY"),
            ),
        ),
        Fault(
            "API server killed",
            without("airflow-api-server", signal.SIGKILL),
            (Said("Airflow", "does not answer", "look into the log of the api-server and start it again"),),
        ),
        Fault(
            "MLflow killed",
            without("mlflow", signal.SIGKILL),
            (Said("MLflow", "MLflow's server does not answer", "start it, or correct AIRLOOM_TRACKING_URL"),),
        ),
        Fault(
            "key that S3 does not know",
            unknown_s3_key,
            (Said("storage", "S3 does not accept the credentials", "renew them"),),
        ),
        Fault(
            "lineage backend that is away",
            given(**{_LINEAGE: "http://127.0.0.1:{nobody}"}),
            (Said("lineage", "does not take events. http", "start it, or correct AIRLOOM_LINEAGE_URL"),),
        ),
    ),
    "no PostgreSQL": (
        Fault(
            "PostgreSQL stopped",
            without_postgres,
            (
                Said("state database", "The state database cannot be reached", "correct AIRLOOM_STATE_URL"),
                Said("Airflow's database", "Airflow's database cannot be reached", "correct AIRFLOW__DATABASE"),
                Said("Airflow", "answers, and cannot use Airflow's database", "start the database"),
            ),
        ),
        Fault(
            "S3 that never answers",
            deaf_s3,
            (Said("storage", "S3 cannot be reached", "look at the network and at AWS_ENDPOINT_URL_S3"),),
        ),
        Fault(
            "wrong password of the broker",
            given(**{_BROKER: "redis://:planted-wrong-one@127.0.0.1:{redis}/0"}),
            (Said("workers", "The broker of Celery cannot be used", "correct AIRFLOW__CELERY__BROKER_URL"),),
        ),
        Fault(
            "wrong password of the online store",
            given(AIRLOOM_ONLINE_URL="redis://:planted-wrong-one@127.0.0.1:{redis}/1"),
            (Said("online store", "invalid username-password pair", "AIRLOOM_ONLINE_URL is right"),),
        ),
    ),
    "other versions and places": (
        Fault(
            "state database of a newer Airloom",
            changed("airloom", "airloom_schema_version", "version_num", "9999"),
            (Said("state database", "newer than this code", "upgrade this code"),),
        ),
        Fault(
            "no such bucket",
            given(**{_STORAGE: "s3://airloom-nowhere/production"}),
            (Said("storage", "There is no such bucket", "create the bucket airloom-nowhere"),),
        ),
        Fault(
            "a file for the database of workers",
            given(AIRFLOW__DATABASE__SQL_ALCHEMY_CONN="sqlite:////nowhere/airflow.db"),
            (Said("Airflow's database", "SQLite with CeleryExecutor", "name a PostgreSQL database"),),
        ),
        Fault(
            "two secrets that are the same",
            given(
                AIRFLOW__API__SECRET_KEY="planted-the-same-secret",
                AIRFLOW__API_AUTH__JWT_SECRET="planted-the-same-secret",
            ),
            (
                Said(
                    "secrets",
                    "these are the same: AIRFLOW__API_AUTH__JWT_SECRET, AIRFLOW__API__SECRET_KEY",
                    "give each its own",
                ),
            ),
        ),
    ),
}
