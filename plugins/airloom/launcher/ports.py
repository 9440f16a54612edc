"""The ports that the servers listen on, always on 127.0.0.1 only."""

from __future__ import annotations

import errno
import os
import socket
from dataclasses import dataclass

from airloom.core.errors import SetupError, UsageError

HOST = "127.0.0.1"
AIRFLOW_PORT = "AIRLOOM_AIRFLOW_PORT"
MLFLOW_PORT = "AIRLOOM_MLFLOW_PORT"


@dataclass(frozen=True)
class Ports:
    """Where the servers of one installation answer.

    Args:
        airflow: Port of Airflow's API server and UI.
        mlflow: Port of MLflow's server and UI.
    """

    airflow: int = 8080
    mlflow: int = 5000

    @classmethod
    def from_environment(cls) -> Ports:
        """Read `AIRLOOM_AIRFLOW_PORT` and `AIRLOOM_MLFLOW_PORT`, each with its default.

        Raises:
            UsageError: One of them is not a port, or both are the same.
        """
        ports = cls(airflow=_port(AIRFLOW_PORT, cls.airflow), mlflow=_port(MLFLOW_PORT, cls.mlflow))
        if ports.airflow == ports.mlflow:
            raise UsageError("Airflow and MLflow cannot share one port.", where=MLFLOW_PORT, found=str(ports.mlflow))
        return ports

    @property
    def airflow_url(self) -> str:
        """The address of Airflow's UI."""
        return f"http://{HOST}:{self.airflow}"

    @property
    def mlflow_url(self) -> str:
        """The address of MLflow's UI."""
        return f"http://{HOST}:{self.mlflow}"


def require_free(port: int, server: str, setting: str) -> None:
    """Make sure that a server can listen on its port.

    Args:
        port: The port on 127.0.0.1.
        server: What wants to listen there.
        setting: The environment variable that names another port.

    Raises:
        SetupError: Something else listens there.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise _not_free(port, server, setting, error) from None


def _not_free(port: int, server: str, setting: str, error: OSError) -> SetupError:
    if error.errno != errno.EADDRINUSE:
        return SetupError(f"{server} cannot listen on port {port}.", where=f"{HOST}:{port}", found=str(error))
    return SetupError(
        f"Port {port} is busy, and {server} needs one.",
        where=f"{HOST}:{port}",
        found=_listener(port),
        do=f"end that process, or choose another port, for example: {setting}={_suggestion(port)} make demo",
    )


def _port(setting: str, default: int) -> int:
    text = os.environ.get(setting, str(default))
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 65536):
        raise UsageError("This is not a port.", where=setting, found=repr(text), expected="a number from 1 to 65535")
    return int(text)


def _suggestion(port: int) -> int:
    return port + 1 if port < 65535 else port - 1


def _listener(port: int) -> str:
    """Name the process that listens on a port, as far as this user may know it."""
    import psutil

    try:
        for connection in psutil.net_connections("tcp"):
            if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port and connection.pid:
                return f"process {connection.pid} ({psutil.Process(connection.pid).name()}) listens there"
    except psutil.Error:
        pass
    return "a process of another user listens there"
