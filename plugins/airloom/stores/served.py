"""An MLflow server, and what is told when it, or the state database in its place, does not answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any, cast

from airloom.core.errors import SetupError, Unavailable
from airloom.core.settings import Settings
from airloom.core.urls import without_credentials
from airloom.stores.database import without_password

if TYPE_CHECKING:
    from mlflow import MlflowClient

#: How MLflow begins to tell that a request had no answer, or one that no server of its kind gives.
_UNANSWERED = "API request to "
#: What it calls an operation that its database could not do: that was started again, or another writer had it for long.
_DATABASE_AWAY = "TEMPORARILY_UNAVAILABLE"


def served_client(settings: Settings) -> MlflowClient:
    """Return a client of MLflow's server, which has answered.

    Raises:
        SetupError: Its address holds a password.
        Unavailable: It does not answer.
    """
    from mlflow import MlflowClient

    require_no_login(settings.tracking_url)
    served = telling(MlflowClient(tracking_uri=settings.tracking_url, registry_uri=settings.tracking_url), settings)
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


def telling(client: MlflowClient, settings: Settings) -> MlflowClient:
    """Return a client whose calls raise Unavailable when its server, or the database of either, does not answer."""
    return cast("MlflowClient", _Telling(client, settings))


@dataclass(frozen=True)
class _Telling:
    """A client that tells in our words when it is not answered."""

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
                answered = isinstance(error, MlflowException) and error.error_code != _DATABASE_AWAY
                if answered and _UNANSWERED not in str(error):
                    raise
                raise unanswered(self.settings, error) from error

        return told


def unanswered(settings: Settings, error: Exception) -> Unavailable:
    """Return the error that tells that MLflow's server does not answer, after all that was tried, or the database."""
    found = str(error).partition("\n")[0][:500]
    if not settings.tracking_url:
        return Unavailable(
            "The state database does not do MLflow's work now.",
            where=without_password(settings.state_url),
            found=found,
            expected="a database that answers, and that no other writer keeps to itself",
            do="see that it runs, then run this again",
        )
    return Unavailable(
        "The MLflow server does not answer as it should.",
        where=without_credentials(settings.tracking_url),
        found=found,
        expected="an MLflow server that answers",
        do="start it, or correct AIRLOOM_TRACKING_URL; where a login is needed, set MLFLOW_TRACKING_USERNAME and "
        "MLFLOW_TRACKING_PASSWORD",
    )
