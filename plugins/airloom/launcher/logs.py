"""Keeps the chatter of libraries out of the logs of servers and tasks: what remains is what matters.

Airflow's own option, `[logging] namespace_levels`, reaches only the loggers that Airflow has made with structlog; those
of `logging` get a filter, which stays when a task configures its logging anew.
"""

from __future__ import annotations

import logging

#: Loggers of structlog that report every step of their own at INFO.
CHATTER = ("airflow.models.dag", "airflow.serialization.definitions.dag", "airflow.dag_processing.bundles.manager")

#: The same of `logging`: among them one line a function that Great Expectations does not register, 209 a start.
_FILTERED = (
    "great_expectations._docs_decorators",
    "great_expectations.expectations.registry",
    "airflow.providers.openlineage.utils.emission_policy",
    "openlineage.client.client",
)


def quiet() -> None:
    """Report only warnings and errors of loggers that chatter."""
    for name in _FILTERED:
        logging.getLogger(name).addFilter(_is_warning)


def _is_warning(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.WARNING
