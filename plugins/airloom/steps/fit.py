"""fit: one candidate trained on the night's training set, with everything about it in MLflow."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from airloom.core.partitions import require_ended
from airloom.core.pipeline import Pipeline
from airloom.core.records import Dataset, Fitted, TrainingSet
from airloom.core.settings import Settings
from airloom.steps.candidates import PARAMETERS, Fit
from airloom.steps.provenance import DECLARATION, DEFINITIONS, definitions, provenance_tags, source_digest
from airloom.steps.references import load_function
from airloom.steps.threads import fixed_threads
from airloom.steps.training import train
from airloom.steps.training_sets import Rows, read_rows
from airloom.stores.models import ModelRegistry
from airloom.stores.runs import RunKey, RunLog, TrainingRuns


def fit(pipeline: Pipeline, partition: date, candidate: str, training: TrainingSet, settings: Settings) -> Fitted:
    """Train one candidate; a training that has finished before is not done again.

    Args:
        pipeline: The declaration.
        partition: The as-of.
        candidate: Name of the candidate in the declaration.
        training: The training set.
        settings: Where training sets, MLflow's state and artifacts are.

    Returns:
        The training and its MLflow run, which is marked failed when anything is raised.

    Raises:
        DataError: A loss is not a finite number, or a prediction is not what the label asks for.
    """
    require_ended(partition, pipeline.schedule.timezone)
    function = load_function(pipeline.train.candidates[candidate].fit, settings.project, PARAMETERS)
    key = RunKey(partition, candidate, training.digest, pipeline.digest, source_digest(function))
    runs = TrainingRuns(settings, pipeline.name)
    finished = runs.finished(key)
    if finished is not None and ModelRegistry(settings, pipeline.name).is_intact(finished.info.run_id):
        seconds = float(finished.data.tags["airloom.seconds"])
        return _record(key, finished.info.run_id, seconds, training, "was trained before", unchanged=True)
    rows = read_rows(training, "train", settings)
    with runs.running(key, provenance_tags(training, settings)) as log:
        seconds = _Training(pipeline, key, function, training, settings).run(rows, log)
    return _record(key, log.run_id, seconds, training, f"learned from {len(rows.frame)} rows in {seconds:.1f} s")


@dataclass(frozen=True)
class _Training:
    """One training within a run: everything that is to be known about it is logged."""

    pipeline: Pipeline
    key: RunKey
    function: Fit
    training: TrainingSet
    settings: Settings

    def run(self, rows: Rows, log: RunLog) -> float:
        """Train, keep the model, and return the seconds that the training took."""
        runs = TrainingRuns(self.settings, self.pipeline.name)
        declared = self.pipeline.train
        runs.log_params(log.run_id, {**declared.candidates[self.key.candidate].params, "seed": declared.seed})
        runs.log_facts(log.run_id, DECLARATION, self.pipeline.model_dump(mode="json"))
        runs.log_facts(log.run_id, DEFINITIONS, definitions(self.pipeline, self.settings))
        file = self.settings.training / self.training.path
        runs.log_dataset(log.run_id, rows.inputs, self.training.digest, file)
        trained = train(self.pipeline, self.key.candidate, self.function, rows, log)
        registry = ModelRegistry(self.settings, self.pipeline.name)
        with fixed_threads():  # Saving predicts a sample, with which a smoke test compares its own predictions.
            registry.save(
                log.run_id,
                self.key.candidate,
                trained.model,
                rows.inputs,
                trained.outputs,
                pickle=self.pipeline.artifacts.pickle == "allow",
            )
        runs.log_metrics(log.run_id, {"train.seconds": trained.seconds, "train.rows": float(len(rows.frame))})
        runs.set_tags(log.run_id, {"airloom.seconds": f"{trained.seconds:.3f}"})
        return trained.seconds


def _record(
    key: RunKey, run_id: str, seconds: float, training: TrainingSet, what: str, unchanged: bool = False
) -> Fitted:
    run = Dataset(
        name=f"run.{key.candidate}",
        partition=key.partition,
        version=run_id,
        columns={"score": "double"},
        unchanged=unchanged,
    )
    return Fitted(
        pipeline=training.pipeline,
        partition=key.partition,
        headline=f"{key.candidate} {what}",
        candidate=key.candidate,
        run_id=run_id,
        seconds=seconds,
        inputs=training.outputs,
        outputs=(run,),
    )
