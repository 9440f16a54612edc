"""What a task tells OpenLineage: the datasets of its step's record, and facets of the run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airloom.core.pipeline import Pipeline
from airloom.core.records import Applied, Decided, Fitted, Record, TrainingSet, Validation
from airloom.core.settings import Settings
from airloom.lineage.columns import column_lineage
from airloom.lineage.datasets import input_datasets, output_datasets
from airloom.lineage.naming import dataset_name
from airloom.lineage.quality import quality
from airloom.steps.provenance import code_version
from airloom.stores.ledger import Ledger

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage
    from openlineage.client.event_v2 import OutputDataset
    from openlineage.client.facet_v2 import RunFacet


@dataclass(frozen=True)
class Task:
    """What is known of a task whatever became of it.

    Args:
        pipeline: Name of the pipeline.
        partition: The day, as the task was told.
        stage: The last part of its DAG's name.
        training: The record of the training set that it works with.
    """

    pipeline: str
    partition: str
    stage: str
    training: TrainingSet | None = None


def lineage_at_start(task: Task) -> OperatorLineage[Any, Any]:
    """Return what is known before the step has run, or when it has failed."""
    from airflow.providers.openlineage.extractors import OperatorLineage

    from airloom.lineage.custom import RUN, AirloomRunFacet

    return OperatorLineage(run_facets={RUN: AirloomRunFacet(task.pipeline, task.partition, task.stage)})


def lineage_at_end(task: Task, record: Record, pipeline: Pipeline, settings: Settings) -> OperatorLineage[Any, Any]:
    """Return what a step has read and written, and what came of it.

    Args:
        task: The task.
        record: What its step has done.
        pipeline: The declaration that it did it by.
        settings: Where the ledger, validation results and the declarations are.
    """
    from airflow.providers.openlineage.extractors import OperatorLineage

    inputs = input_datasets(pipeline.name, record.inputs)
    if isinstance(record, Validation):
        inputs[0].inputFacets = {**(inputs[0].inputFacets or {}), **quality(record, settings)}
    outputs = output_datasets(pipeline.name, record.outputs)
    _add_column_lineage(outputs, record, pipeline, settings)
    return OperatorLineage(inputs=inputs, outputs=outputs, run_facets=_run_facets(task, record, pipeline, settings))


def _add_column_lineage(outputs: list[OutputDataset], record: Record, pipeline: Pipeline, settings: Settings) -> None:
    newest = {dataset_name(pipeline.name, each.name): each for each in record.outputs}
    for output in outputs:
        written = newest[output.name]
        if found := column_lineage(pipeline, settings.include, written, written.made_of or record.inputs):
            output.facets = {**(output.facets or {}), "columnLineage": found}


def _run_facets(task: Task, record: Record, pipeline: Pipeline, settings: Settings) -> dict[str, RunFacet]:
    from airloom.lineage import custom

    facets: dict[str, RunFacet] = {
        custom.RUN: custom.AirloomRunFacet(
            pipeline=pipeline.name,
            partition=record.partition.isoformat(),
            stage=task.stage,
            headline=record.headline,
            declaration=pipeline.digest,
            code=code_version(settings.project),
        )
    }
    if training := record if isinstance(record, TrainingSet) else task.training:
        facets[custom.TRAINING] = _training(training, record)
    if isinstance(record, (Decided, Applied)) and (verdict := _verdict(record, settings)):
        facets[custom.VERDICT] = verdict
    return facets


def _training(training: TrainingSet, record: Record) -> RunFacet:
    from airloom.lineage.custom import TrainingRunFacet

    fitted = record if isinstance(record, Fitted) else None
    return TrainingRunFacet(
        digest=training.digest,
        rows=training.rows,
        holdoutRows=training.holdout_rows,
        degraded=training.degraded,
        dropped=training.dropped,
        lake=training.lake,
        candidate=fitted.candidate if fitted else None,
        run=fitted.run_id if fitted else None,
        seconds=round(fitted.seconds, 3) if fitted else None,
    )


def _verdict(record: Record, settings: Settings) -> RunFacet | None:
    from airloom.lineage.custom import GateVerdictRunFacet

    wanted = {each.version for each in (*record.inputs, *record.outputs) if each.name == "verdict"}
    verdicts = Ledger(settings.state_url).verdicts(record.pipeline, record.partition) if wanted else []
    verdict = next((each for each in verdicts if each.id in wanted), None)
    if verdict is None:
        return None
    return GateVerdictRunFacet(
        id=verdict.id,
        outcome=verdict.outcome,
        challenger=verdict.challenger.version,
        champion=verdict.champion.version if verdict.champion else None,
        pinned=verdict.pinned,
        checks=[check.model_dump() for check in verdict.checks],
    )
