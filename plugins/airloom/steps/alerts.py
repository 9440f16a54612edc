"""Alerts: tell a pipeline's people what they should know, by the function that they have declared."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import date

from airloom.core.pipeline import Pipeline
from airloom.core.settings import Settings
from airloom.steps.references import load_function

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Alert:
    """What a pipeline's `alert` function is told.

    Args:
        pipeline: Name of the pipeline.
        partition: The day that it is about.
        message: What happened and what comes next.
    """

    pipeline: str
    partition: date
    message: str


def send_alert(pipeline: Pipeline, partition: date, message: str, settings: Settings) -> None:
    """Call the declared function, if there is one; that it fails is logged, and fails nothing else.

    Args:
        pipeline: The declaration.
        partition: The day that it is about.
        message: What happened and what comes next.
        settings: Where the project's code is.
    """
    _log.error("%s: %s.", pipeline.name, message)
    if pipeline.alert is None:
        return
    try:
        load_function(pipeline.alert, settings.project, ("alert",))(Alert(pipeline.name, partition, message))
    except (Exception, SystemExit):  # noqa: BLE001 - an alert that cannot be sent must not fail what it tells about
        _log.exception("The alert of %s could not be sent.", pipeline.name)
