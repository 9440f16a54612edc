"""Training runs in MLflow: one a partition, candidate, training set, declaration and source, however often tried."""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from time import time
from typing import TYPE_CHECKING, Any

from airloom.core.errors import DataError
from airloom.core.failpoints import failpoint
from airloom.core.places import Place
from airloom.core.settings import Settings
from airloom.stores.locks import exclusive
from airloom.stores.mlflow_files import MODEL_TAG, described_dataset
from airloom.stores.tracking import experiment_id, open_client

if TYPE_CHECKING:
    import pandas as pd
    from mlflow import MlflowClient
    from mlflow.entities import Metric, Run

_BATCH = 500


@dataclass(frozen=True)
class RunKey:
    """What makes two trainings the same training.

    Args:
        partition: The as-of.
        candidate: Name of the candidate.
        training_digest: The training set.
        pipeline_digest: The declaration.
        source_digest: The text of the candidate's function.
    """

    partition: date
    candidate: str
    training_digest: str
    pipeline_digest: str
    source_digest: str

    @property
    def tags(self) -> dict[str, str]:
        """The run's tags that say so."""
        return {**self.attempt_tags, **{f"airloom.{name}": getattr(self, name) for name in _DIGESTS}}

    @property
    def attempt_tags(self) -> dict[str, str]:
        """The tags that attempts at the same candidate on the same night share."""
        return {"airloom.partition": self.partition.isoformat(), "airloom.candidate": self.candidate}


_DIGESTS = ("training_digest", "pipeline_digest", "source_digest")


@dataclass
class RunLog:
    """Collects values and writes them to the run in batches; what is not finite stops the training.

    Args:
        client: The client.
        run_id: The run.
    """

    client: MlflowClient
    run_id: str
    _waiting: list[Metric] = field(default_factory=list)

    def log(self, metrics: Mapping[str, float], step: int) -> None:
        """Keep values of one step.

        Raises:
            DataError: A value is not a finite number.
        """
        from mlflow.entities import Metric

        for name, value in metrics.items():
            if not math.isfinite(value):
                raise DataError(
                    f"{name} is not a finite number; the training was stopped.",
                    where=f"MLflow run {self.run_id}, step {step}",
                    found=str(value),
                    do="lower the learning rate, or look for extreme values in the features",
                )
            self._waiting.append(Metric(name, float(value), int(time() * 1000), step))
        if len(self._waiting) >= _BATCH:
            self.flush()

    def flush(self) -> None:
        """Write what is waiting."""
        for start in range(0, len(self._waiting), _BATCH):
            self.client.log_batch(self.run_id, metrics=self._waiting[start : start + _BATCH])
        self._waiting.clear()


@dataclass(frozen=True)
class TrainingRuns:
    """The training runs of one pipeline.

    Args:
        settings: Where MLflow's state and artifacts are.
        pipeline: Name of the pipeline.
    """

    settings: Settings
    pipeline: str

    def finished(self, key: RunKey) -> Run | None:
        """Find the newest run that has finished exactly this training."""
        runs = self._search({**key.tags, "airloom.pipeline": self.pipeline}, "FINISHED")
        return runs[0] if runs else None

    @contextmanager
    def running(self, key: RunKey, tags: Mapping[str, str]) -> Iterator[RunLog]:
        """Run a training: finished at the end, failed when anything is raised.

        Runs that a killed attempt at the same candidate, or a request that was repeated, left behind are ended first.
        """
        client = open_client(self.settings)
        all_tags = {"airloom.pipeline": self.pipeline, **key.tags, **tags}
        name = f"{key.partition} {key.candidate}"
        run = client.create_run(experiment_id(self.settings, self.pipeline), tags=all_tags, run_name=name)
        log = RunLog(client, run.info.run_id)
        failpoint("run.after_create")
        self._end_abandoned(key, log.run_id)
        try:
            yield log
            log.flush()
        except BaseException:
            client.set_terminated(run.info.run_id, "FAILED")
            raise
        failpoint("run.before_finish")
        client.set_terminated(run.info.run_id, "FINISHED")
        failpoint("run.after_finish")

    def log_params(self, run_id: str, params: Mapping[str, Any]) -> None:
        """Log parameters in one call."""
        from mlflow.entities import Param

        open_client(self.settings).log_batch(run_id, params=[Param(name, str(value)) for name, value in params.items()])

    def params(self, run_id: str) -> dict[str, str]:
        """Return the parameters of a run.

        Raises:
            DataError: The run is not there any more.
        """
        return dict(self._run(run_id).data.params)

    def metrics(self, run_id: str) -> dict[str, float]:
        """Return the last value of every metric of a run.

        Raises:
            DataError: The run is not there any more.
        """
        return dict(self._run(run_id).data.metrics)

    def log_facts(self, run_id: str, name: str, facts: Mapping[str, Any]) -> None:
        """Keep plain JSON values with a run, as the artifact of that name: tags have room for a few words only."""
        open_client(self.settings).log_dict(run_id, dict(facts), f"{name}.json")

    def facts(self, run_id: str, name: str) -> dict[str, Any]:
        """Return what `log_facts` has kept.

        Raises:
            DataError: Nothing is kept under that name.
        """
        from mlflow.exceptions import MlflowException

        try:
            with tempfile.TemporaryDirectory() as folder:
                file = open_client(self.settings).download_artifacts(run_id, f"{name}.json", folder)
                return dict(json.loads(Path(file).read_text(encoding="utf-8")))
        except (MlflowException, OSError) as error:
            raise DataError(f"The run keeps no {name}.", where=f"MLflow run {run_id}", found=str(error)) from error

    def log_dataset(self, run_id: str, rows: pd.DataFrame, digest: str, file: Place) -> None:
        """Log what was learned from: its columns and how many rows, under our own digest."""
        from mlflow.entities import DatasetInput, InputTag

        entity = described_dataset(rows, digest, file)
        tag = InputTag("mlflow.data.context", "training")
        client = open_client(self.settings)
        # Candidates of a night learn from the same rows side by side; MLflow would fail to add them twice at once.
        with exclusive(self.settings, "mlflow"):
            client.log_inputs(run_id, [DatasetInput(entity, [tag])])

    def log_metrics(self, run_id: str, metrics: Mapping[str, float]) -> None:
        """Log final values, which have no steps; of a run that has kept its model they are the model's too."""
        from mlflow.entities import Metric

        now, run = int(time() * 1000), self._run(run_id)
        learned = [each.dataset for each in run.inputs.dataset_inputs][:1]
        of_model = {"model_id": run.data.tags.get(MODEL_TAG)} | (
            {"dataset_name": learned[0].name, "dataset_digest": learned[0].digest} if learned else {}
        )
        values = [Metric(name, value, now, 0, **of_model) for name, value in metrics.items()]
        open_client(self.settings).log_batch(run_id, metrics=values)

    def set_tags(self, run_id: str, tags: Mapping[str, str]) -> None:
        """Set tags in one call."""
        from mlflow.entities import RunTag

        open_client(self.settings).log_batch(run_id, tags=[RunTag(name, value) for name, value in tags.items()])

    def _run(self, run_id: str) -> Run:
        from mlflow.exceptions import MlflowException

        try:
            return open_client(self.settings).get_run(run_id)
        except MlflowException as error:
            raise DataError("A run is not there any more.", where=f"MLflow run {run_id}", found=str(error)) from error

    def _end_abandoned(self, key: RunKey, mine: str) -> None:
        for run in self._search({**key.attempt_tags, "airloom.pipeline": self.pipeline}, "RUNNING"):
            if run.info.run_id != mine:
                open_client(self.settings).set_terminated(run.info.run_id, "KILLED")

    def _search(self, tags: Mapping[str, str], status: str) -> list[Run]:
        conditions = [f"tags.`{name}` = '{value}'" for name, value in tags.items()]
        return list(
            open_client(self.settings).search_runs(
                [experiment_id(self.settings, self.pipeline)],
                " and ".join([f"attributes.status = '{status}'", *conditions]),
                order_by=["attributes.start_time DESC"],
            )
        )
