"""`airloom up`: start the embedded Airflow and MLflow."""

from __future__ import annotations

import os

from airloom.cli.console import console, print_error, services
from airloom.launcher.environment import environment, secrets_of
from airloom.launcher.given import require_own_servers
from airloom.launcher.installation import require_installation
from airloom.launcher.pools import ensure_pools
from airloom.launcher.prepare import prepare
from airloom.launcher.secrets import USER
from airloom.launcher.services import Services


def up() -> None:
    """Start Airflow and MLflow on this machine; what is running already is left alone."""
    servers = services()
    start(servers)
    print_addresses(servers)


def start(servers: Services) -> list[str]:
    """Prepare an installation and start its servers.

    Args:
        servers: The servers.

    Returns:
        The names of those that were started.

    Raises:
        SetupError: Somebody else starts them, a port is busy, or one of them did not become healthy.
    """
    require_own_servers()
    settings, ports = servers.settings, servers.ports
    require_installation(settings.project)
    servers.require_ports()
    os.environ.update(environment(settings, ports))
    with console.status("preparing") as status:
        prepared = prepare(settings, ports, status.update)
        started = servers.start(status.update)
        ensure_pools(settings, ports)
    for error in prepared.broken:
        print_error(error)
    if prepared.new_password:
        _print_password(servers)
    return started


def print_addresses(servers: Services) -> None:
    """Say where people find the UIs and the login."""
    console.print(f"Airflow  {servers.ports.airflow_url}   user {USER}", highlight=False)
    console.print(f"         password in {secrets_of(servers.settings).passwords}", highlight=False, soft_wrap=True)
    console.print(f"MLflow   {servers.ports.mlflow_url}", highlight=False)
    console.print("Stop with `airloom down` (or `make down`).", highlight=False)


def _print_password(servers: Services) -> None:
    password = secrets_of(servers.settings).password()
    console.print(f"Your Airflow password, shown this once: [bold]{password}[/bold]", highlight=False)
