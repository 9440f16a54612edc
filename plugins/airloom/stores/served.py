"""An MLflow server, and what is told when it does not answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any, cast

from airloom.core.errors import SetupError, Unavailable
from airloom.core.settings import Settings
from airloom.core.urls import without_credentials

if TYPE_CHECKING:
    from mlflow import MlflowClient

#: How MLflow begins to tell that a request had no answer, or one that no server of its kind gives.
_UNANSWERED = "API request to "


def served_client(settings: Settings) -> MlflowClient:
    """Return a client of MLflow's server, which has answered.

    Raises:
        SetupError: Its address holds a password.
        Unavailable: It does not answer.
    """
    from mlflow import MlflowClient

    require_no_login(settings.tracking_url)
    client = MlflowClient(tracking_uri=settings.tracking_url, registry_uri=settings.tracking_url)
    served = cast("MlflowClient", _Served(client, settings))
    served.search_experiments(max_results=1)
    return served


def require_no_login(url: str) -> None:
    """Make sure that the address of MLflow's server can be shown to anybody.

    Raises:
        SetupError: It holds a password.
    """
    if "@" in url:
        raise SetupError(
            "The address of the MLflow server must not hold who asks.",
            where="AIRLOOM_TRACKING_URL",
            found=without_credentials(url) + " with a login",
            do="set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, and leave them out of the address",
        )


@dataclass(frozen=True)
class _Served:
    """A client that tells in our words when its server does not answer."""

    client: MlflowClient
    settings: Settings

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self.client, name)
        return self._told(attribute) if callable(attribute) else attribute

    def _told(self, call: Callable[..., Any]) -> Callable[..., Any]:
        from mlflow.exceptions import MlflowException
        from requests import RequestException

        @wraps(call)
        def told(*arguments: Any, **options: Any) -> Any:
            try:
                return call(*arguments, **options)
            except (MlflowException, RequestException) as error:
                if isinstance(error, MlflowException) and _UNANSWERED not in str(error):
                    raise
                raise unanswered(self.settings, error) from error

        return told


def unanswered(settings: Settings, error: Exception) -> Unavailable:
    """Return the error that tells that MLflow's server does not answer, after all that was tried."""
    return Unavailable(
        "The MLflow server does not answer as it should.",
        where=without_credentials(settings.tracking_url),
        found=str(error).partition("\n")[0][:500],
        expected="an MLflow server that answers",
        do="start it, or correct AIRLOOM_TRACKING_URL; where a login is needed, set MLFLOW_TRACKING_USERNAME and "
        "MLFLOW_TRACKING_PASSWORD",
    )
