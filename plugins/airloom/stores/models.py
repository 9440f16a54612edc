"""The model registry: versions in MLflow, of any framework, loaded only when their files prove genuine."""

from __future__ import annotations

import json
import logging
import shutil
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airloom.contracts import Model, class_reference
from airloom.core.errors import GateError, VersionGone
from airloom.core.failpoints import failpoint
from airloom.core.settings import Settings
from airloom.stores.locks import exclusive
from airloom.stores.mlflow_files import FILES, MODEL_TAG, write_description
from airloom.stores.model_code import model_code
from airloom.stores.model_files import read_model, verify, write_model
from airloom.stores.project_code import make_importable
from airloom.stores.served import unanswered
from airloom.stores.tracking import experiment_id, open_client, there_already

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from mlflow.entities.model_registry import ModelVersion, RegisteredModel

_MANIFEST_TAG = "airloom.manifest"
_SOURCE_TAG = "airloom.model_source"
_EPOCH_TAG = "airloom.champion_epoch"
#: MLflow's own.
_VERSIONS_TAG = "mlflow.modelVersions"

#: How a server tells that it has no such file; whatever else it tells says nothing about the file.
_NOT_FOUND = "404 Client Error"

_LOCAL = ("file:", "/")
_DOWNLOAD_SECONDS = 24 * 3600

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class VersionInfo:
    """One registered version.

    Args:
        version: Its number.
        run_id: The MLflow run that trained it.
        partition: The as-of of its training.
        candidate: The candidate that it came from.
        training_digest: The training set.
        pipeline_digest: The declaration.
        tags: All of its tags.
    """

    version: int
    run_id: str
    partition: date
    candidate: str
    training_digest: str
    pipeline_digest: str
    tags: Mapping[str, str]


@dataclass(frozen=True)
class ModelRegistry:
    """The registered model of one pipeline.

    Args:
        settings: Where MLflow's state and artifacts are.
        pipeline: Name of the pipeline, and so of the registered model.
    """

    settings: Settings
    pipeline: str

    def save(
        self, run_id: str, name: str, model: Model, inputs: pd.DataFrame, outputs: np.ndarray, pickle: bool = False
    ) -> None:
        """Keep a trained model with its run.

        Args:
            run_id: The run that trained it.
            name: What MLflow shows: the candidate.
            model: The model.
            inputs: Rows that it was trained on, for its signature.
            outputs: What it predicts for them.
            pickle: Its files may run code when they are loaded.

        Raises:
            DataError: It cannot be kept, or not be loaded again.
        """
        from mlflow.entities import LoggedModelOutput, RunTag

        client = open_client(self.settings)
        logged = client.create_logged_model(
            experiment_id(self.settings, self.pipeline),
            name,
            source_run_id=run_id,
            params=client.get_run(run_id).data.params,
        )
        failpoint("save.after_entry")
        with tempfile.TemporaryDirectory() as folder:
            manifest_sum = write_model(model, Path(folder) / FILES, inputs, pickle)
            code = model_code(class_reference(model), Path(folder) / FILES)
            write_description(Path(folder), logged.model_id, run_id, inputs, outputs, code)
            client.log_model_artifacts(logged.model_id, folder)
        failpoint("save.after_files")
        client.finalize_logged_model(logged.model_id, "READY")
        failpoint("save.after_ready")
        client.log_outputs(run_id, [LoggedModelOutput(logged.model_id, step=0)])
        failpoint("save.after_outputs")
        tags = {_MANIFEST_TAG: manifest_sum, _SOURCE_TAG: logged.artifact_location, MODEL_TAG: logged.model_id}
        client.log_batch(run_id, tags=[RunTag(name, value) for name, value in tags.items()])
        failpoint("save.after_tags")

    def register(self, run_id: str, tags: Mapping[str, str]) -> int:
        """Register a run's model; a run that is already registered keeps its version.

        Args:
            run_id: A run that `save` was called for.
            tags: Tags of the version, besides those of the run.

        Returns:
            The version.
        """
        with exclusive(self.settings, "mlflow"):
            if not (known := self._versions_of(run_id)):
                self._create_version(run_id, tags)
                known = self._versions_of(run_id)
            # A request whose answer got lost was repeated by the client.
            for twin in known[1:]:
                open_client(self.settings).delete_model_version(self.pipeline, str(twin))
            self._show_registered(run_id, known[0])
            return known[0]

    def set_alias(self, alias: str, version: int) -> None:
        """Point an alias at a version.

        Raises:
            GateError: There is no such version.
        """
        self._version(version)
        failpoint("alias.before")
        open_client(self.settings).set_registered_model_alias(self.pipeline, alias, str(version))
        failpoint("alias.after")

    def remove_alias(self, alias: str) -> None:
        """Let an alias point at nothing."""
        open_client(self.settings).delete_registered_model_alias(self.pipeline, alias)

    def alias(self, alias: str = "champion") -> int | None:
        """Return the version that an alias points at, None where it points at nothing."""
        found = self._registered()
        version = found.aliases.get(alias) if found else None
        return None if version is None else int(version)

    def note_epoch(self, epoch: int) -> None:
        """Remember for which epoch of the ledger the alias was set: what it is set to otherwise was done by hand."""
        open_client(self.settings).set_registered_model_tag(self.pipeline, _EPOCH_TAG, str(epoch))
        failpoint("alias.after_epoch")

    def noted_epoch(self) -> int | None:
        """Return the epoch for which the alias was last set by us, None when it never was."""
        found = self._registered()
        epoch = found.tags.get(_EPOCH_TAG) if found else None
        return None if epoch is None else int(epoch)

    def keep_verdict(self, version: int, verdict: str, outcome: str, report: str) -> None:
        """Keep a verdict with the version that it is about: as tags, and as its description for people.

        Only what is not there already is written.

        Raises:
            GateError: There is no such version.
        """
        client, found = open_client(self.settings), self._version(version)
        for name, value in {"airloom.verdict": verdict, "airloom.outcome": outcome}.items():
            if found.tags.get(name) != value:
                client.set_model_version_tag(self.pipeline, str(version), name, value)
                failpoint("keep_verdict.after_tag")
        if found.description != report:
            client.update_model_version(self.pipeline, str(version), report)
            failpoint("keep_verdict.after_report")

    def version_info(self, version: int) -> VersionInfo:
        """Describe a version.

        Raises:
            GateError: There is no such version, or the pipeline has not trained it.
        """
        found = self._version(version)
        tags = dict(found.tags)
        if tags.get("airloom.pipeline") != self.pipeline:
            raise GateError(
                f"Version {version} of {self.pipeline} was not trained by this pipeline.",
                where="the MLflow model registry",
                found=f"the tag airloom.pipeline: {tags.get('airloom.pipeline', 'none')}",
                expected=self.pipeline,
            )
        return VersionInfo(
            version=version,
            run_id=found.run_id or "",
            partition=date.fromisoformat(tags["airloom.partition"]),
            candidate=tags["airloom.candidate"],
            training_digest=tags["airloom.training_digest"],
            pipeline_digest=tags["airloom.pipeline_digest"],
            tags=tags,
        )

    def load(self, version: int) -> Model:
        """Load a registered version, after its files have proved to be what was registered.

        Raises:
            GateError: There is no such version, or its files were changed.
            DataError: Its class or its libraries do not fit what is installed.
        """
        return self._load(f"version {version}", self._version(version).tags)

    def verified_files(self, version: int) -> tuple[Path, dict[str, Any]]:
        """Return the folder of a version's files, which have proved to be what was registered, and their manifest.

        Raises:
            GateError: There is no such version, or its files were changed.
        """
        source, manifest_sum = self._genuine(f"version {version}", self._version(version).tags)
        folder = self._files(source)
        return folder, verify(folder, manifest_sum)

    def load_run(self, run_id: str) -> Model:
        """Load the model of a training run; raises like `load`."""
        return self._load(f"run {run_id}", open_client(self.settings).get_run(run_id).data.tags)

    def libraries(self, version: int) -> dict[str, str]:
        """Return the versions of the libraries that a version was trained with, from its verified manifest.

        Raises:
            GateError: There is no such version, or its files were changed.
        """
        _, manifest = self.verified_files(version)
        return dict(manifest["libraries"])

    def is_intact(self, run_id: str) -> bool:
        """Tell whether the files of a run's model are there and are what was saved."""
        tags = open_client(self.settings).get_run(run_id).data.tags
        try:
            source, manifest_sum = self._genuine(f"run {run_id}", tags)
            verify(self._files(source), manifest_sum)
        except GateError as error:
            _log.warning("The model of run %s cannot be used any more: %s", run_id, error)
            return False
        return True

    def _versions_of(self, run_id: str) -> list[int]:
        """Return the versions that a run's model is registered as, oldest first: there should be one at most."""
        found = open_client(self.settings).search_model_versions(f"name = '{self.pipeline}' and run_id = '{run_id}'")
        return sorted(int(each.version) for each in found)

    def _show_registered(self, run_id: str, version: int) -> None:
        """Let the page of the logged model in MLflow say which version it is; it goes by a tag."""
        client = open_client(self.settings)
        model_id = client.get_run(run_id).data.tags[MODEL_TAG]
        versions = json.dumps([{"name": self.pipeline, "version": version}])
        if client.get_logged_model(model_id).tags.get(_VERSIONS_TAG) != versions:
            client.set_logged_model_tags(model_id, {_VERSIONS_TAG: versions})

    def _create_version(self, run_id: str, tags: Mapping[str, str]) -> None:
        client = open_client(self.settings)
        if self._registered() is None:
            with there_already():
                client.create_registered_model(self.pipeline)
        failpoint("register.before_version")
        run_tags = client.get_run(run_id).data.tags
        client.create_model_version(
            self.pipeline,
            source=run_tags[_SOURCE_TAG],
            run_id=run_id,
            tags={**{name: value for name, value in run_tags.items() if name.startswith("airloom.")}, **tags},
            model_id=run_tags[MODEL_TAG],
        )
        failpoint("register.after_version")

    def _registered(self) -> RegisteredModel | None:
        """Return the registered model; asking for it by name takes half as long as searching."""
        from mlflow.exceptions import MlflowException

        try:
            return open_client(self.settings).get_registered_model(self.pipeline)
        except MlflowException as error:
            if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                return None
            raise

    def _version(self, version: int) -> ModelVersion:
        """Return a version; a search would leave out, too, what the server does not let this user see."""
        from mlflow.exceptions import MlflowException

        try:
            return open_client(self.settings).get_model_version(self.pipeline, str(version))
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            raise VersionGone(
                f"{self.pipeline} has no version {version}.",
                where="the MLflow model registry",
                found="it was never registered, or it was deleted",
                do=f"name a version that is still there; see: airloom ledger {self.pipeline}",
            ) from error

    def _load(self, what: str, tags: Mapping[str, str]) -> Model:
        source, manifest_sum = self._genuine(what, tags)
        make_importable(self.settings.project)
        return read_model(self._files(source), manifest_sum)

    def _genuine(self, what: str, tags: Mapping[str, str]) -> tuple[str, str]:
        """Return where a model's files are, and the sum of their manifest."""
        if _MANIFEST_TAG not in tags or _SOURCE_TAG not in tags:
            raise GateError(
                f"{what} of {self.pipeline} does not say what its files should be; nothing was loaded.",
                expected=f"the tags {_MANIFEST_TAG} and {_SOURCE_TAG}, which Airloom sets when it trains",
            )
        return tags[_SOURCE_TAG], tags[_MANIFEST_TAG]

    def _files(self, source: str) -> Path:
        """Return the folder of a model's files; a remote one is downloaded."""
        from mlflow.artifacts import download_artifacts
        from mlflow.exceptions import MlflowException

        uri = f"{source}/{FILES}"
        try:
            folder = None if source.startswith(_LOCAL) else self._download_folder()
            return Path(download_artifacts(uri, dst_path=folder, tracking_uri=self.settings.tracking_uri))
        except (MlflowException, OSError) as error:
            if self.settings.tracking_url and _NOT_FOUND not in str(error):
                raise unanswered(self.settings, error) from error
            raise GateError("A model's files are not there.", where=uri, found=str(error)) from error

    def _download_folder(self) -> str:
        """Make a folder for a model's files; a task ends without tidying up, so what is a day old is removed."""
        root = self.settings.var / "downloads"
        root.mkdir(parents=True, exist_ok=True)
        for folder in root.iterdir():
            with suppress(FileNotFoundError):
                if folder.stat().st_mtime < time.time() - _DOWNLOAD_SECONDS:
                    shutil.rmtree(folder, ignore_errors=True)
        return tempfile.mkdtemp(dir=root)
