"""What is looked at: an installation, as its own processes see it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from airloom.connections import named_connections, use_connections
from airloom.core.settings import Settings
from airloom.launcher.doctor.loading import load_airflow
from airloom.launcher.given import ELSEWHERE, adopt, among_servers, on_servers
from airloom.launcher.ports import Ports
from airloom.launcher.services import Services

#: Tasks wait for minutes until a server of MLflow is there again; a person who asks what is wrong does not.
_IMPATIENT = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_HTTP_REQUEST_TIMEOUT": "10"}


@dataclass(frozen=True)
class Subject:
    """One installation.

    Args:
        settings: Its places.
        ports: Where its servers answer, if they run on this machine.
        variables: The environment of its processes.
        on_servers: Whether its servers are started by somebody else, as in docker-compose.yaml.
        connections: The Airflow connection that a setting was read from.
    """

    settings: Settings
    ports: Ports
    variables: Mapping[str, str] = field(repr=False)
    on_servers: bool = False
    connections: Mapping[str, str] = field(default_factory=dict)

    @property
    def services(self) -> Services:
        """The servers that `airloom up` starts."""
        return Services(self.settings, self.ports)

    @property
    def repair(self) -> str:
        """The command that makes what is missing."""
        return "airloom upgrade" if self.on_servers else "airloom up"

    @property
    def airflow_url(self) -> str:
        """Where Airflow answers."""
        return self.variables.get(ELSEWHERE) or self.ports.airflow_url


def _enter() -> tuple[Ports, bool]:
    """Give this process the environment of the installation, as its own processes have it.

    Returns:
        Where its servers answer, and whether they are started by somebody else.

    Raises:
        AirloomError: A setting makes no sense.
    """
    ports, elsewhere = Ports.from_environment(), on_servers()
    adopt(Settings.from_environment(), ports)
    os.environ.update(_IMPATIENT)
    return ports, elsewhere


def meet() -> Subject:
    """Return the installation that the environment names, with its connections looked up.

    Raises:
        AirloomError: A setting makes no sense, or names a connection that cannot be looked up.
    """
    ports, on_servers = _enter()
    load_airflow()
    named = named_connections(os.environ)
    with among_servers():
        use_connections()
    return Subject(Settings.from_environment(), ports, dict(os.environ), on_servers, named)
