"""The environment of a process that somebody else starts: a container, whose own variables win over our defaults."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from airloom.core.errors import SetupError
from airloom.core.settings import Settings
from airloom.launcher.environment import environment
from airloom.launcher.ports import Ports

#: Set where the environment is complete, so that nothing is put over what was given.
_COMPLETE = "AIRLOOM_ENVIRONMENT_COMPLETE"
#: Where Airflow answers, when it does not run on this machine.
ELSEWHERE = "AIRLOOM_AIRFLOW_URL"

_CONTEXT, _DATABASE, _FILE = "_AIRFLOW_PROCESS_CONTEXT", "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "sqlite"


def completed(settings: Settings, ports: Ports, given: Mapping[str, str]) -> dict[str, str]:
    """Add what the distribution sets to an environment that says otherwise where it must.

    Args:
        settings: The places of the installation.
        ports: Where its servers answer.
        given: The environment; what it says stays.
    """
    defaults = {
        name: value
        for name, value in environment(settings, ports).items()
        # Airflow asks a command only where no value is given, and the files that ours print are not there then.
        if not (name.endswith("_CMD") and name.removesuffix("_CMD") in given)
    }
    path = ":".join(filter(None, (defaults["PYTHONPATH"], given.get("PYTHONPATH"))))
    return {**defaults, **given, "PYTHONPATH": path, _COMPLETE: "1"}


def on_servers() -> bool:
    """Tell whether somebody else starts this installation's servers, and says in the environment where they are."""
    return _COMPLETE in os.environ or bool(os.environ.get(ELSEWHERE))


def require_own_servers() -> None:
    """Make sure that starting this installation's servers is up to us.

    Raises:
        SetupError: Somebody else starts them; ours would be another installation, in files of this machine.
    """
    if on_servers():
        raise SetupError(
            "The servers of this installation are started by somebody else.",
            where=ELSEWHERE,
            found=os.environ.get(ELSEWHERE) or "not set, in a container or a shell of airloom exec",
            do="docker compose up --detach, or what else starts them; then run days by: airloom backfill",
        )


@contextmanager
def among_servers() -> Iterator[None]:
    """Let connections be looked up in Airflow's database too, where that is a server and this process may use it.

    Airflow looks there for whoever says that it is one of its servers, as `airflow connections get` says, too.
    """
    if not on_servers() or os.environ.get(_DATABASE, _FILE).startswith(_FILE) or _CONTEXT in os.environ:
        yield
        return
    os.environ[_CONTEXT] = "server"
    try:
        yield
    finally:
        # What is started from here says for itself what it is.
        del os.environ[_CONTEXT]


def adopt(settings: Settings, ports: Ports) -> None:
    """Make this process's environment that of the installation."""
    if _COMPLETE in os.environ:
        return
    # A shell in a container, which the image's entry point has not started, is told where the servers are, too.
    own = completed(settings, ports, os.environ) if on_servers() else environment(settings, ports)
    os.environ.update(own)
