"""Links from a task in Airflow's UI to what it made."""

from __future__ import annotations

import os
from typing import Any

from airflow.sdk import BaseOperatorLink

from airloom.core.records import Applied, Evaluation, Fitted, Scored, Validation


def mlflow_url() -> str:
    """Return the address of MLflow's UI, `AIRLOOM_MLFLOW_URL`."""
    return os.environ.get("AIRLOOM_MLFLOW_URL", "http://127.0.0.1:5000").rstrip("/")


class ModelRunLink(BaseOperatorLink):
    """The MLflow run of a trained candidate."""

    name = "MLflow run"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        """Return the run's address; empty when nothing was trained."""
        record = operator.record
        return f"{mlflow_url()}/#/runs/{record.run_id}" if isinstance(record, Fitted) else ""


class ModelVersionLink(BaseOperatorLink):
    """The registered model version that a task judged, promoted or used."""

    name = "Model version"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        """Return the version's address; empty when there is none."""
        match operator.record:
            case (
                Evaluation(challenger_version=version)
                | Applied(champion_version=version)
                | Scored(champion_version=version)
            ) if version is not None:
                return f"{mlflow_url()}/#/models/{operator.pipeline}/versions/{version}"
            case _:
                return ""


class ValidationLink(BaseOperatorLink):
    """The stored result of a validation."""

    name = "Validation result"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        """Return the address of the result's page; empty when nothing was validated."""
        record = operator.record
        return f"/airloom/validations/{record.result}" if isinstance(record, Validation) else ""
