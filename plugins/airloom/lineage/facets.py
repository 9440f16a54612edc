"""Turns a record's inputs and outputs into OpenLineage datasets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airloom.core.records import Dataset, Record

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage
    from openlineage.client.event_v2 import InputDataset, OutputDataset
    from openlineage.client.facet_v2 import DatasetFacet

#: One namespace for everything that Airloom keeps; asset URIs begin with the same word.
NAMESPACE = "airloom"


def lineage_of(record: Record | None) -> OperatorLineage[Any, Any]:
    """Return a record's datasets as OpenLineage inputs and outputs.

    Args:
        record: What the step did, None when it has not finished.
    """
    from airflow.providers.openlineage.extractors import OperatorLineage
    from openlineage.client.event_v2 import InputDataset, OutputDataset

    if record is None:
        return OperatorLineage()
    return OperatorLineage(
        inputs=[_dataset(InputDataset, record.pipeline, each) for each in _one_per_name(record.inputs)],
        outputs=[_dataset(OutputDataset, record.pipeline, each) for each in _one_per_name(record.outputs)],
    )


def dataset_name(pipeline: str, dataset: str) -> str:
    """Return the name of a dataset in lineage and assets: `flight_delays/raw.flights`."""
    return f"{pipeline}/{dataset}"


def _one_per_name(datasets: tuple[Dataset, ...]) -> list[Dataset]:
    """Keep the newest partition of each dataset: OpenLineage knows a dataset once an event."""
    newest: dict[str, Dataset] = {}
    for each in sorted(datasets, key=lambda each: (each.partition is not None, each.partition)):
        newest[each.name] = each
    return list(newest.values())


def _dataset(
    kind: type[InputDataset] | type[OutputDataset], pipeline: str, dataset: Dataset
) -> InputDataset | OutputDataset:
    return kind(namespace=NAMESPACE, name=dataset_name(pipeline, dataset.name), facets=_facets(dataset))


def _facets(dataset: Dataset) -> dict[str, DatasetFacet]:
    from openlineage.client.facet_v2 import dataset_version_dataset, schema_dataset

    facets: dict[str, DatasetFacet] = {}
    if dataset.columns:
        fields = [schema_dataset.SchemaDatasetFacetFields(name, kind) for name, kind in dataset.columns.items()]
        facets["schema"] = schema_dataset.SchemaDatasetFacet(fields=fields)
    if dataset.version:
        version = f"{dataset.partition}@{dataset.version}" if dataset.partition else dataset.version
        facets["version"] = dataset_version_dataset.DatasetVersionDatasetFacet(datasetVersion=version)
    return facets
