"""The environment of a process that somebody else starts: a container, whose own variables win over our defaults."""

from __future__ import annotations

import os
from collections.abc import Mapping

from airloom.core.settings import Settings
from airloom.launcher.environment import environment
from airloom.launcher.ports import Ports

#: Set where the environment is complete, so that nothing is put over what was given.
_COMPLETE = "AIRLOOM_ENVIRONMENT_COMPLETE"


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


def is_complete() -> bool:
    """Tell whether this process was started in a complete environment, as everything in a container is."""
    return _COMPLETE in os.environ


def adopt(settings: Settings, ports: Ports) -> None:
    """Make this process's environment that of the installation, unless it was completed before."""
    if not is_complete():
        os.environ.update(environment(settings, ports))
