"""Whether the servers answer and do their work."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airloom.launcher.ports import Ports

if TYPE_CHECKING:
    import httpx

#: Seconds until an answer must be there, on a busy machine too; and a connection, where nothing answers.
_ANSWER, _CONNECT = 15.0, 5.0
_DATABASE = "metadatabase"


def unhealthy_airflow(ports: Ports, started: Mapping[str, float]) -> list[str]:
    """Return the names of Airflow's components that are not healthy.

    Args:
        ports: Where the API server answers.
        started: When each component was started, in seconds since the epoch: an older heartbeat was its predecessor's.
    """
    return unhealthy_at(ports.airflow_url, started)


def unhealthy_at(url: str, started: Mapping[str, float]) -> list[str]:
    """Return the names of the components that are not healthy of an Airflow that answers anywhere."""
    import httpx

    try:
        answer = httpx.get(f"{url}/api/v2/monitor/health", timeout=_timeout()).raise_for_status().json()
    except (httpx.HTTPError, ValueError):
        return ["api-server"]
    return [
        name.replace("_", "-")
        for name, state in answer.items()
        if not _is_healthy(name, state, started.get(name.replace("_", "-"), 0.0))
    ]


def unhealthy_mlflow(ports: Ports) -> list[str]:
    """Return `mlflow` when its server does not answer."""
    import httpx

    try:
        httpx.get(f"{ports.mlflow_url}/health", timeout=_timeout()).raise_for_status()
    except httpx.HTTPError:
        return ["mlflow"]
    return []


def _timeout() -> httpx.Timeout:
    import httpx

    return httpx.Timeout(_ANSWER, connect=_CONNECT)


def _is_healthy(name: str, state: dict[str, Any] | None, started: float) -> bool:
    if not state or state.get("status") != "healthy":
        return False
    if name == _DATABASE:
        return True
    heartbeat = state.get(f"latest_{name}_heartbeat")
    return heartbeat is not None and datetime.fromisoformat(heartbeat).timestamp() >= started
