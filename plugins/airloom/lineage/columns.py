"""Column lineage: from which columns of which inputs each column of an output was made."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from airloom.core.pipeline import EXAMPLES, Pipeline
from airloom.core.records import Dataset
from airloom.lineage.naming import NAMESPACE, dataset_name
from airloom.steps.readiness import LABELS, label_table, own_labels
from airloom.steps.sql_columns import columns_read

if TYPE_CHECKING:
    from openlineage.client.facet_v2 import column_lineage_dataset

#: A column of an input: the dataset's name without the pipeline, and the column's.
Source = tuple[str, str]
_SCORE = "score"


def column_lineage(
    pipeline: Pipeline, include: Path, output: Dataset, inputs: Iterable[Dataset]
) -> column_lineage_dataset.ColumnLineageDatasetFacet | None:
    """Say where the columns of an output come from, None where nobody knows.

    Args:
        pipeline: The declaration.
        include: The folder of the declared pipelines, for the SQL of feature views.
        output: What was written, with its columns.
        inputs: What was read for it.
    """
    from openlineage.client.facet_v2 import column_lineage_dataset as facet

    from airloom.lineage.custom import ColumnLineageDatasetFacet

    fields = {
        column: facet.Fields([facet.InputField(NAMESPACE, dataset_name(pipeline.name, name), of) for name, of in found])
        for column, found in _sources(pipeline, include, output, list(inputs))
        if found
    }
    return ColumnLineageDatasetFacet(fields=fields) if fields else None


def _sources(
    pipeline: Pipeline, include: Path, output: Dataset, inputs: list[Dataset]
) -> Iterator[tuple[str, list[Source]]]:
    kind, _, name = output.name.partition(".")
    if kind == "features":
        yield from _of_query(pipeline, include, pipeline.features.views[name].sql, output)
    elif kind == LABELS and pipeline.label.sql is not None:
        yield from _of_query(pipeline, include, pipeline.label.sql, output)
    for column in output.columns:
        if kind in ("raw", "online"):
            yield column, [(f"{'staging' if kind == 'raw' else 'features'}.{name}", column)]
        elif kind == LABELS and own_labels(pipeline):
            yield column, [(f"staging.{pipeline.label.table}", column)]
        elif kind == "training":
            yield column, _of_example(pipeline, column)
        elif kind in ("run", "model"):
            yield column, [(each.name, of) for each in inputs for of in _learned(pipeline, each)]
        elif kind == "predictions":
            yield column, _of_prediction(pipeline, column, inputs)


def _of_query(pipeline: Pipeline, include: Path, sql: Path, output: Dataset) -> Iterator[tuple[str, list[Source]]]:
    read = columns_read((include / pipeline.name / sql).read_text(encoding="utf-8"))
    names = {EXAMPLES: pipeline.score.entities}
    for column in output.columns:
        yield column, [(f"raw.{names.get(table, table)}", of) for table, of in read.get(column, ())]


def _of_example(pipeline: Pipeline, column: str) -> list[Source]:
    """A column of the training set is a feature, called `<view>__<feature>`, one of the scored rows, or the label."""
    view, separator, feature = column.partition("__")
    if separator and view in pipeline.features.views:
        return [(f"features.{view}", feature)]
    if column == pipeline.label.column:
        return [(label_table(pipeline), column)]
    inputs, scored = pipeline.train.inputs, pipeline.score.entities
    known = {*pipeline.tables[scored].key, *inputs.categorical, *inputs.numeric}
    return [(f"raw.{scored}", column)] if column in known else []


def _learned(pipeline: Pipeline, read: Dataset) -> list[str]:
    """What a model has learned from: everything in the training set but what only says which row it is."""
    if read.name != "training":
        return [*read.columns]
    keys = pipeline.tables[pipeline.score.entities].key
    return [column for column in read.columns if column not in keys and _of_example(pipeline, column)]


def _of_prediction(pipeline: Pipeline, column: str, inputs: list[Dataset]) -> list[Source]:
    scored = pipeline.tables[pipeline.score.entities]
    rows = f"raw.{pipeline.score.entities}"
    if column in {*scored.key, scored.time}:
        return [(rows, column)]
    if _SCORE not in column.split("_") and not column.endswith("predicted"):
        return []
    features = [(each.name, feature) for each in inputs for feature in each.columns]
    declared = pipeline.train.inputs
    return [("model", _SCORE), *features, *((rows, each) for each in (*declared.categorical, *declared.numeric))]
