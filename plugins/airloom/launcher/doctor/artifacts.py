"""Whether MLflow takes the files of models where trainings keep them, gives them back and removes them."""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Iterable
from pathlib import Path

from airloom.core.errors import SetupError
from airloom.core.pipeline import Pipeline
from airloom.core.settings import Settings
from airloom.launcher.doctor.quoting import plain
from airloom.stores.tracking import open_client, quietly

_SERVED = "mlflow-artifacts:"
_BY_SERVER = "look into the log of MLflow's server: it writes, reads and removes below its --artifacts-destination"
_BY_US = "let this user write, read and remove there; keys of a bucket are AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"


def require_artifacts(settings: Settings, pipelines: Iterable[Pipeline]) -> None:
    """Keep a file as trainings do, in each of their places, and remove it again.

    Raises:
        SetupError: It cannot be written, read or removed.
    """
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import BotoCoreError, ClientError
    from mlflow.exceptions import MlflowException

    for place in _places(settings, pipelines):
        try:
            _try(settings, place)
        except (MlflowException, OSError, Boto3Error, BotoCoreError, ClientError) as error:
            raise SetupError(
                "MLflow cannot keep the files of models.",
                where=plain(place),
                found=plain(error)[:500],
                do=_BY_SERVER if place.startswith(_SERVED) else _BY_US,
            ) from None


def _places(settings: Settings, pipelines: Iterable[Pipeline]) -> list[str]:
    """Return where the experiments of pipelines keep their files; without any, where a new one would."""
    client = open_client(settings)
    kept = [client.get_experiment_by_name(pipeline.name) for pipeline in pipelines]
    if not any(kept) and settings.tracking_url:
        kept = [client.get_experiment_by_name("Default")]
    places = {experiment.artifact_location for experiment in kept if experiment}
    return sorted(places) if places or settings.tracking_url else [settings.artifacts.absolute().as_uri()]


def _try(settings: Settings, place: str) -> None:
    with quietly():
        from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    repository = get_artifact_repository(place, tracking_uri=settings.tracking_uri)
    name = f".airloom-doctor-{secrets.token_hex(8)}"
    with tempfile.TemporaryDirectory() as folder:
        probe, read = Path(folder, "probe"), Path(folder, "read")
        probe.write_text("probe", encoding="utf-8")
        read.mkdir()
        repository.log_artifact(str(probe), name)
        try:
            repository.download_artifacts(f"{name}/probe", dst_path=str(read))
        finally:
            repository.delete_artifacts(name)
