"""The servers of one installation: Airflow's four components and MLflow, started and stopped as one."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from airloom.core.errors import SetupError
from airloom.core.settings import Settings
from airloom.launcher.environment import environment, scheduler_environment
from airloom.launcher.health import unhealthy_airflow, unhealthy_mlflow
from airloom.launcher.ports import AIRFLOW_PORT, HOST, MLFLOW_PORT, Ports, require_free
from airloom.launcher.process import Background, stop
from airloom.launcher.waiting import STALLED_SECONDS, Waiting

#: Seconds to end by itself: a running task also reports how it ended; triggers and parsing have nothing to lose.
_TASK_GRACE = 15.0
_SERVER_GRACE = 5.0
_STATELESS_GRACE = 2.0
_LISTENING = {"api-server", "mlflow"}

#: The scheduler forks the tasks, so it alone imports what they need.
_PRELOAD = {"AIRLOOM_PRELOAD": os.environ.get("AIRLOOM_PRELOAD", "1")}

Report = Callable[[str], None]


@dataclass(frozen=True)
class Services:
    """All servers of one installation.

    Args:
        settings: Its places.
        ports: Where its servers answer.
    """

    settings: Settings
    ports: Ports

    @property
    def workers(self) -> list[Background]:
        """What runs tasks and triggers: stopped first, while the API server can still record how they ended."""
        return [
            self._airflow(
                "scheduler", "--skip-serve-logs", grace=_TASK_GRACE, variables={**_PRELOAD, **scheduler_environment()}
            ),
            self._airflow("triggerer", "--skip-serve-logs", grace=_STATELESS_GRACE),
            self._airflow("dag-processor", grace=_STATELESS_GRACE),
        ]

    @property
    def servers(self) -> list[Background]:
        """What listens on a port."""
        api_server = self._airflow("api-server", grace=_SERVER_GRACE)
        # Where MLflow has a server already, there is none to start.
        return [api_server] if self.settings.tracking_url else [api_server, self._mlflow()]

    @property
    def all(self) -> list[Background]:
        """Every server, in the order in which they are started."""
        return [*self.servers, *self.workers]

    def running(self) -> list[Background]:
        """Return the servers that are running."""
        return [service for service in self.all if service.process() is not None]

    def require_ports(self) -> None:
        """Make sure that the servers which are not running find their ports free.

        Raises:
            SetupError: A port is busy.
        """
        needed = {
            "api-server": (self.ports.airflow, "Airflow", AIRFLOW_PORT),
            "mlflow": (self.ports.mlflow, "MLflow", MLFLOW_PORT),
        }
        for server in self.servers:
            # What a server has left behind is ended before its successor is started.
            if server.process() is None and not server.session():
                require_free(*needed[server.name])

    def start(self, report: Report) -> list[str]:
        """Start what is not running and wait until everything is healthy.

        Args:
            report: Is told what is being waited for.

        Returns:
            The names of the servers that were started; empty when all of them were running.

        Raises:
            SetupError: A port is busy, or a server ended or did not become healthy.
        """
        with self._alone():
            self.require_ports()
            missing = [service for service in self.all if service.process() is None]
            _stop_orderly(missing)
            complete = {**os.environ, **environment(self.settings, self.ports)}
            try:
                for service in missing:
                    service.start(complete, self.settings.project)
                self._wait_until_healthy(report)
            except BaseException:
                # Also on Ctrl-C: what this call has started is not left behind half-ready.
                _stop_orderly(missing)
                raise
        return [service.name for service in missing]

    def stop(self) -> int:
        """Stop everything and make sure that nothing is left.

        Returns:
            How many processes were ended.
        """
        with self._alone():
            return _stop_orderly(self.all)

    def _airflow(
        self, component: str, *options: str, grace: float, variables: Mapping[str, str] | None = None
    ) -> Background:
        command = ("-m", "airflow", component, *options)
        return Background(component, command, self.settings.var, grace, variables or {})

    def _mlflow(self) -> Background:
        options = ("--default-artifact-root", str(self.settings.artifacts), "--workers", "1")
        address = ("--host", HOST, "--port", str(self.ports.mlflow))
        command = ("-m", "mlflow", "server", *options, *address)
        # Not among the options: everybody on this machine can read those, and it may hold a password.
        store = {"MLFLOW_BACKEND_STORE_URI": self.settings.state_url}
        return Background("mlflow", command, self.settings.var, _SERVER_GRACE, store)

    def _wait_until_healthy(self, report: Report) -> None:
        waiting = Waiting()
        while names := self.unhealthy():
            self._require_alive()
            waiting.look((names, [service.activity() for service in self.all if service.name in names]))
            if waiting.stalled:
                raise SetupError(
                    f"{', '.join(names)} did not become healthy, without progress for {STALLED_SECONDS:.0f} seconds.",
                    where=str(self.settings.var / "logs"),
                    do="look into the logs there, then start again",
                )
            report(f"waiting for {', '.join(names)}{waiting.remark}")
            time.sleep(0.5)

    def unhealthy(self) -> list[str]:
        """Return the names of the servers that do not answer, or that Airflow does not call healthy."""
        started = {service.name: moment for service in self.all if (moment := service.started())}
        mlflow = [] if self.settings.tracking_url else unhealthy_mlflow(self.ports)
        return [*unhealthy_airflow(self.ports, started), *mlflow]

    def _require_alive(self) -> None:
        for service in self.all:
            if service.process() is None:
                raise SetupError(
                    f"The {service.name} ended while it was starting.",
                    where=str(service.log),
                    found=f"its last lines:\n{service.last_lines()}",
                )

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep other commands from starting or stopping the same installation at the same time."""
        file = self.settings.var / "run" / "lock"
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise SetupError("Another command is starting or stopping Airloom.", where=str(file)) from None
            yield


def _stop_orderly(services: list[Background]) -> int:
    """Stop what works before what it reports to."""
    workers = [service for service in services if service.name not in _LISTENING]
    return stop(workers) + stop([service for service in services if service.name in _LISTENING])
