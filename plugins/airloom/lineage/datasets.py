"""Turns the datasets of a record into OpenLineage's: one per name, with every partition that was read or written."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from airloom.core.records import Dataset
from airloom.lineage.naming import NAMESPACE, dataset_name

if TYPE_CHECKING:
    from openlineage.client.event_v2 import InputDataset, OutputDataset
    from openlineage.client.facet_v2 import DatasetFacet, InputDatasetFacet, OutputDatasetFacet


def input_datasets(pipeline: str, datasets: Iterable[Dataset]) -> list[InputDataset]:
    """Name what was read."""
    from openlineage.client.event_v2 import InputDataset

    # How an input came to be and what its columns are is told by the run that made it.
    untold: dict[str, Any] = {"made_of": (), "unchanged": False, "columns": {}}
    datasets = [each.model_copy(update=untold) for each in datasets]

    return [
        InputDataset(
            namespace=NAMESPACE,
            name=dataset_name(pipeline, name),
            facets=_facets(pipeline, days),
            inputFacets=_input_facets(days),
        )
        for name, days in _by_name(datasets).items()
    ]


def output_datasets(pipeline: str, datasets: Iterable[Dataset]) -> list[OutputDataset]:
    """Name what was written."""
    from openlineage.client.event_v2 import OutputDataset

    return [
        OutputDataset(
            namespace=NAMESPACE,
            name=dataset_name(pipeline, name),
            facets=_facets(pipeline, days),
            outputFacets=_output_facets(days),
        )
        for name, days in _by_name(datasets).items()
    ]


def _by_name(datasets: Iterable[Dataset]) -> dict[str, list[Dataset]]:
    """Return the partitions of each dataset, oldest first: OpenLineage knows a dataset once an event."""
    found: dict[str, list[Dataset]] = {}
    for each in sorted(datasets, key=lambda each: (each.partition is not None, each.partition)):
        found.setdefault(each.name, []).append(each)
    return found


def _facets(pipeline: str, days: list[Dataset]) -> dict[str, DatasetFacet]:
    from openlineage.client.facet_v2 import dataset_version_dataset, schema_dataset

    from airloom.lineage.custom import PARTITION, ColumnsDatasetFacet, PartitionDatasetFacet

    newest = days[-1]
    facets: dict[str, DatasetFacet] = {
        PARTITION: PartitionDatasetFacet([_partition(pipeline, each) for each in days], newest.commit)
    }
    if newest.columns:
        fields = [schema_dataset.SchemaDatasetFacetFields(name, kind) for name, kind in newest.columns.items()]
        facets["schema"] = ColumnsDatasetFacet(fields=fields)
    if newest.version:
        version = f"{newest.partition}@{newest.version}" if newest.partition else newest.version
        facets["version"] = dataset_version_dataset.DatasetVersionDatasetFacet(datasetVersion=version)
    return facets


def _partition(pipeline: str, dataset: Dataset) -> dict[str, Any]:
    made_of: dict[str, dict[str, str]] = {}
    for each in dataset.made_of:
        day = each.partition.isoformat() if each.partition else ""
        made_of.setdefault(dataset_name(pipeline, each.name), {})[day] = each.version or ""
    facts: dict[str, Any] = {
        "partition": dataset.partition.isoformat() if dataset.partition else "",
        "version": dataset.version or "",
    }
    return facts | ({"unchanged": True} if dataset.unchanged else {}) | ({"madeOf": made_of} if made_of else {})


def _rows(days: list[Dataset]) -> int | None:
    counted = [each.rows for each in days if each.rows is not None]
    return sum(counted) if counted else None


def _input_facets(days: list[Dataset]) -> dict[str, InputDatasetFacet]:
    from openlineage.client.facet_v2 import input_statistics_input_dataset

    rows = _rows(days)
    if rows is None:
        return {}
    return {"inputStatistics": input_statistics_input_dataset.InputStatisticsInputDatasetFacet(rowCount=rows)}


def _output_facets(days: list[Dataset]) -> dict[str, OutputDatasetFacet]:
    from openlineage.client.facet_v2 import output_statistics_output_dataset

    rows = _rows(days)
    if rows is None:
        return {}
    return {"outputStatistics": output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet(rowCount=rows)}
