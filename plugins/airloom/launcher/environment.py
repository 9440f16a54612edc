"""The environment that the distribution sets: everything that Airflow, MLflow and tasks need to know."""

from __future__ import annotations

import json
import math
import os
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from airloom.core.places import S3Path
from airloom.core.settings import Settings
from airloom.launcher.logs import CHATTER
from airloom.launcher.ports import AIRFLOW_PORT, HOST, MLFLOW_PORT, Ports
from airloom.launcher.secrets import USER, Secrets
from airloom.lineage.delivery.address import Address
from airloom.stores.served import require_no_login

#: Several tasks share the cores, so none may take them all.
_ONE_THREAD_EACH = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")

#: A task waits for the API server about as long as it computes.
_TASKS_PER_CORE = 3

#: How long a transaction waits for another writer of SQLite. On a busy machine one may hold the lock for many seconds.
_LOCK_SECONDS = 60

#: The API server answers in 40 threads. Were all of them waiting for the lock, the request that holds it could not end.
_FEWER_THAN_THREADS = 32

#: The name of the transport that we configure, by which it is known again.
_TRANSPORT = "airloom"

_QUIET = {
    "DO_NOT_TRACK": "true",
    "GX_ANALYTICS_ENABLED": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_LOG_UV_FILES": "false",
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    "GIT_PYTHON_REFRESH": "quiet",
    # Airflow 3.3 meets a newer pathspec than it knows and would say so in every task's log.
    "PYTHONWARNINGS": "ignore:GitWildMatchPattern:DeprecationWarning",
}


def secrets_of(settings: Settings) -> Secrets:
    """Return where an installation keeps its secrets."""
    return Secrets(settings.var / "secrets")


def environment(settings: Settings, ports: Ports) -> dict[str, str]:
    """Describe one installation as environment variables; no value is a secret.

    Args:
        settings: The places of the installation.
        ports: Where its servers answer.

    Returns:
        The variables for every process of the installation, and for a shell that runs `airflow` by hand.

    Raises:
        SetupError: The address of MLflow's server holds a password.
    """
    backend = Address.from_environment()
    return {
        **_places(settings, ports),
        **(backend.variables() if backend else {}),
        **_QUIET,
        **dict.fromkeys(_ONE_THREAD_EACH, "1"),
        **_airflow(
            _core(settings) | _servers(settings, ports) | _scheduling() | _celery() | _lineage(settings, backend)
        ),
    }


def _airflow(options: dict[tuple[str, str], object]) -> dict[str, str]:
    """Spell options the way Airflow reads them: AIRFLOW__SECTION__KEY."""
    return {f"AIRFLOW__{section}__{key}".upper(): str(value) for (section, key), value in options.items()}


def _places(settings: Settings, ports: Ports) -> dict[str, str]:
    return {
        "AIRFLOW_HOME": str(settings.var / "airflow"),
        "AIRLOOM_PROJECT": str(settings.project),
        "AIRLOOM_VAR": str(settings.var),
        AIRFLOW_PORT: str(ports.airflow),
        MLFLOW_PORT: str(ports.mlflow),
        "AIRLOOM_MLFLOW_URL": ports.mlflow_url,
        "PYTHONPATH": ":".join(str(settings.project / folder) for folder in (".", "plugins", "config")),
        **_databases(settings),
    }


def _databases(settings: Settings) -> dict[str, str]:
    """Say where the files of databases are; the URL of a server holds a password, and stays where it was given."""
    require_no_login(settings.tracking_url)
    urls = {"AIRLOOM_STATE_URL": settings.state_url, "MLFLOW_TRACKING_URI": settings.tracking_uri}
    return {name: url for name, url in urls.items() if url.startswith(("sqlite:", "http:", "https:"))}


def _core(settings: Settings) -> dict[tuple[str, str], object]:
    secrets = secrets_of(settings)
    return {
        ("core", "dags_folder"): settings.project / "dags",
        ("core", "plugins_folder"): settings.project / "plugins",
        ("core", "load_examples"): False,
        ("core", "executor"): "LocalExecutor",
        ("core", "parallelism"): _tasks_at_once(),
        ("core", "dags_are_paused_at_creation"): True,
        ("core", "dagbag_import_error_traceback_depth"): 1,
        ("core", "daemon_umask"): "0o077",
        # Asking the resolver for this machine's full name can take seconds, or leave the machine.
        ("core", "hostname_callable"): "socket.gethostname",
        ("core", "fernet_key_cmd"): _print(secrets.fernet),
        ("core", "simple_auth_manager_users"): f"{USER}:admin",
        ("core", "simple_auth_manager_all_admins"): False,
        ("core", "simple_auth_manager_passwords_file"): secrets.passwords,
        ("database", "sql_alchemy_conn"): metadata_url(settings),
        ("logging", "base_log_folder"): settings.var / "logs" / "airflow",
        ("logging", "dag_processor_child_process_log_directory"): settings.var / "logs" / "dag_processor",
        ("logging", "file_task_handler_new_folder_permissions"): "0o700",
        ("logging", "file_task_handler_new_file_permissions"): "0o600",
        ("logging", "colored_console_log"): False,
        ("logging", "namespace_levels"): " ".join(f"{logger}=WARNING" for logger in CHATTER),
    }


def _tasks_at_once() -> int:
    return _TASKS_PER_CORE * (os.cpu_count() or 1)


def metadata_url(settings: Settings) -> str:
    """Return the SQLAlchemy URL of Airflow's own database, with the seconds to wait for another writer."""
    return f"sqlite:///{metadata_database(settings)}?timeout={_LOCK_SECONDS}"


def metadata_database(settings: Settings) -> Path:
    """Return the file of Airflow's own database."""
    return settings.var / "airflow" / "airflow.db"


def _servers(settings: Settings, ports: Ports) -> dict[tuple[str, str], object]:
    secrets = secrets_of(settings)
    return {
        ("core", "execution_api_server_url"): f"{ports.airflow_url}/execution/",
        ("api", "base_url"): ports.airflow_url,
        ("api", "host"): HOST,
        ("api", "port"): ports.airflow,
        ("api", "workers"): 1,
        ("api", "instance_name"): "Airloom",
        ("api", "secret_key_cmd"): _print(secrets.session),
        ("api_auth", "jwt_secret_cmd"): _print(secrets.jwt),
    }


def _scheduling() -> dict[tuple[str, str], object]:
    return {
        # The gap between two tasks; ADR 0005 has what shorter ones cost an idle machine.
        ("scheduler", "scheduler_idle_sleep_time"): 0.2,
        # A worker that is gone is noticed after a minute instead of five, also when the scheduler was started again
        # meanwhile: it looks only after tasks that it has taken over from the one before.
        ("scheduler", "task_instance_heartbeat_timeout"): 60,
        ("scheduler", "orphaned_tasks_check_interval"): 30,
        # A message to a worker may be lost with it, or with the broker, and nothing tells: a task that has not begun is
        # handed over again, however often. Airflow would give up one that waits for hours until a worker is free.
        ("scheduler", "task_queued_timeout"): 180,
        ("scheduler", "task_queued_timeout_check_interval"): 30,
        ("scheduler", "num_stuck_in_queued_retries"): 1_000_000,
        ("dag_processor", "refresh_interval"): 30,
        ("dag_processor", "min_file_process_interval"): 30,
        ("dag_processor", "parsing_processes"): 1,
    }


def scheduler_environment() -> dict[str, str]:
    """Return the additional options of the embedded scheduler, which forks the processes that supervise tasks.

    Their requests time out later than the API server gives up waiting for SQLite's lock: a request that times out
    earlier is repeated while the first one is still served. They retry until a server that has died answers again, and
    their heartbeat times out later than that.
    """
    options: dict[tuple[str, str], object] = {
        ("core", "parallelism"): min(_tasks_at_once(), _FEWER_THAN_THREADS),
        ("workers", "execution_api_timeout"): _LOCK_SECONDS + 30,
        ("workers", "execution_api_retries"): 10,
        ("workers", "execution_api_retry_wait_max"): 30,
        ("scheduler", "task_instance_heartbeat_timeout"): 3 * _LOCK_SECONDS,
    }
    return _airflow(options)


def _celery() -> dict[tuple[str, str], object]:
    """Say how workers on other machines run tasks; without any it changes nothing."""
    worker = {
        # Loads the libraries of tasks in the process that all of a worker's processes are forked from.
        "imports": ["airloom.scheduling.celery_worker"],
        # A process that has run many tasks is replaced: memory that libraries keep does not add up.
        "worker_max_tasks_per_child": 100,
        # A worker takes a task when it can run it. What it had taken in advance would have to be found again.
        "worker_disable_prefetch": True,
    }
    return {
        ("celery", "extra_celery_config"): json.dumps(worker),
        # Handing a task over takes long on a busy machine; after one second, the default, it would be taken for lost.
        ("celery", "operation_timeout"): 10,
        # A task whose worker was killed just before it began is given to another one after this time. So is one that
        # runs longer, and that is no harm: Airflow tells the second worker that it is under way, who leaves it alone.
        ("celery_broker_transport_options", "visibility_timeout"): 120,
        ("celery_broker_transport_options", "unacked_restore_throttle"): 1,
    }


def configured_by_hand(variables: Mapping[str, str]) -> bool:
    """Say whether the user configures OpenLineage's transport; what `airloom env` has printed is not the user's."""
    transport = variables.get("AIRFLOW__OPENLINEAGE__TRANSPORT")
    if variables.get("OPENLINEAGE_CONFIG") or not transport:
        return bool(variables.get("OPENLINEAGE_CONFIG"))
    try:
        return bool(json.loads(transport).get("name") != _TRANSPORT)
    except (ValueError, AttributeError):
        # Airflow says better than we could what is wrong with it.
        return True


def _lineage(settings: Settings, backend: Address | None) -> dict[tuple[str, str], object]:
    no_source = [{"scope": {}, "controls": {"include_source_code": False}}]
    options: dict[tuple[str, str], object] = {
        ("openlineage", "namespace"): "airloom",
        ("openlineage", "execute_in_thread"): True,
        ("openlineage", "emission_policy"): json.dumps(no_source),
    }
    if backend:
        # The provider gives up after this time; the transport must have given up before.
        options["openlineage", "execution_timeout"] = math.ceil(backend.timeout) + 5
    if not configured_by_hand(os.environ):
        options["openlineage", "transport"] = json.dumps({**transport(settings, backend), "name": _TRANSPORT})
    return options


def transport(settings: Settings, backend: Address | None) -> dict[str, Any]:
    """Return the OpenLineage client's configuration of the transport that keeps every event, and sends it."""
    target = _events(settings)
    if backend:
        # A list, because the client would add what other variables say to a mapping.
        target = {"type": "composite", "transports": [target, backend.transport(settings)]}
    return {"type": "airloom.lineage.delivery.masked.MaskedTransport", "transport": target}


def _events(settings: Settings) -> dict[str, Any]:
    """Return the transport that keeps every event, for our own questions."""
    if isinstance(settings.lineage, S3Path):
        return {"type": "airloom.lineage.delivery.stored.StoredTransport", "folder": str(settings.lineage)}
    # The client appends a line by one write, so lines of several processes do not mix.
    return {"type": "file", "log_file_path": str(settings.lineage), "append": True}


def _print(file: Path) -> str:
    """Return the command that prints a secret: Airflow asks for it, and the environment never holds it."""
    return f"cat {shlex.quote(str(file))}"
