"""Sends what a lineage backend has not accepted, as the installation's tasks would send it."""

from __future__ import annotations

import os
from typing import Any

from airloom.connections import find_connection
from airloom.core.errors import SetupError, UsageError
from airloom.core.settings import Settings
from airloom.launcher.environment import configured_by_hand
from airloom.launcher.given import among_servers
from airloom.lineage.delivery.address import CONNECTION, URL, Address
from airloom.lineage.delivery.resend import Resent, Show, resend
from airloom.lineage.delivery.state import LineageState, read_state
from airloom.lineage.delivery.unsent import Unsent


def lineage_state(settings: Settings) -> LineageState:
    """Count the lineage events of an installation."""
    backend = Address.from_environment()
    own = "what your own configuration of OpenLineage says" if configured_by_hand(os.environ) else None
    return read_state(settings, own or (backend.url if backend else None))


def resend_events(settings: Settings, show: Show) -> Resent:
    """Send every event that the backend has not accepted.

    Args:
        settings: The places of the installation.
        show: Is told how many of how many were looked at.

    Raises:
        UsageError: The environment names no backend.
        SetupError: It names a connection that cannot be looked up, or holds no key.
    """
    backend = Address.from_environment()
    if backend is None:
        raise UsageError("There is no lineage backend to send events to.", do=f"set {URL}")
    from airloom.lineage.delivery.sending import Sender

    sender = Sender(backend.url, backend.timeout, _auth(backend, settings))
    return resend(Unsent(settings.delivery), sender, backend.timeout, show)


def backend_key(backend: Address, settings: Settings) -> str | None:
    """Return what a request to the backend says in its `Authorization`."""
    from openlineage.client.transport.http import create_token_provider

    key: str | None = create_token_provider(_auth(backend, settings)).get_bearer()
    return key


def _auth(backend: Address, settings: Settings) -> dict[str, Any]:
    """Return who asks, in the client's configuration; an Airflow connection is looked up."""
    transport = backend.transport(settings)
    if backend.connection:
        _resolve(transport, backend.connection)
    auth: dict[str, Any] = transport["auth"]
    return auth


def _resolve(transport: dict[str, Any], connection: str) -> None:
    """Put the key that an Airflow connection holds into the configuration."""
    from airflow.providers.openlineage.token_provider import (
        OpenLineageAirflowConnectionAuthError,
        resolve_airflow_connection_auth,
    )

    with among_servers():
        find_connection(CONNECTION, connection)
        try:
            resolve_airflow_connection_auth(transport)
        except OpenLineageAirflowConnectionAuthError:
            raise SetupError(
                "The Airflow connection holds no key for the lineage backend.",
                where=f"connection {connection}, {CONNECTION}",
                expected="the key as its password, or as apiKey in its extra",
            ) from None
