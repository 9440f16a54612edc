"""Columns that Airloom adds to rows: a user's own by the same name would be overwritten, or break the table."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airloom.core.pipeline import Label, Pipeline

#: What every name of ours begins with, and none of a user's.
PREFIX = "airloom_"
#: Columns of tables of earlier versions that describe a partition, in their order.
OF_OLDER_TABLES = ("partition", "version", "inputs", "quality")
#: The same of every other table of the lake.
OF_PARTITIONS = tuple(f"{PREFIX}{name}" for name in OF_OLDER_TABLES)
_PREDICTED = ("score", "predicted", "model_version")
_OF_PREDICTIONS = ("pipeline_digest", "scored_at", "run_id")
_COMPARED = ("challenger", "champion", "constant", "linear", "latest", "same_weekday")

Collision = tuple[str, str, tuple[str, ...]]


def is_reserved(column: str) -> bool:
    """Tell whether no table can have a column of a user's by that name; SQL tells no capitals apart."""
    return column.casefold().startswith(PREFIX)


def collisions(pipeline: Pipeline) -> Iterator[Collision]:
    """Yield declared columns that meet one of ours: the column, where they meet, and the key that names it.

    Args:
        pipeline: The declaration.
    """
    entities, gate, inputs = pipeline.score.entities, pipeline.gate, pipeline.train.inputs
    scored, read = pipeline.tables[entities], (*inputs.categorical, *inputs.numeric)
    at_key, at_inputs = ("tables", entities, "key"), ("train", "inputs")

    for name, table in pipeline.tables.items():
        moments = {"time": (table.time,), "known_at": (table.known_at,)}
        for key, columns in {"key": table.key, **moments, "columns": table.columns or ()}.items():
            yield from _reserved(columns, ("tables", name, key))
    yield from _reserved((pipeline.label.column,), ("label", "column"))
    yield from _reserved(pipeline.label.key or (), ("label", "key"))
    yield from _reserved(read, at_inputs)
    yield from _reserved((pipeline.train.weight,) if pipeline.train.weight else (), ("train", "weight"))

    predictions = _of_predictions(pipeline)
    yield from _meeting(scored.key, predictions, "predictions", at_key)
    yield from _meeting((scored.time,), predictions, "predictions", ("tables", entities, "time"))

    judged = {*_outputs(pipeline.label, "score"), "model_version", "label"}
    yield from _meeting(scored.key, judged, "predictions with their labels", at_key)
    yield from _meeting(pipeline.label_key, judged, "predictions with their labels", ("label", "key"))
    yield from _meeting(read, judged, "predictions with their labels", at_inputs)

    compared = {column for name in _COMPARED for column in _outputs(pipeline.label, name)}
    yield from _meeting(scored.key, compared, "results by row", at_key)
    yield from _meeting((pipeline.label.column,), compared, "results by row", ("label", "column"))
    yield from _meeting(gate.slices.by if gate.slices else (), compared, "results by row", ("gate", "slices", "by"))
    yield from _meeting(gate.cluster or (), compared, "results by row", ("gate", "cluster"))


def _of_predictions(pipeline: Pipeline) -> set[str]:
    """Return the columns that predictions have besides keys and time, by whichever champion."""
    predicted = (*_PREDICTED, *_outputs(pipeline.label, "score"))
    of_sink = ("pipeline",) if pipeline.score.sink else ()
    return {*predicted, *(f"current_{name}" for name in predicted), *_OF_PREDICTIONS, *of_sink}


def _outputs(label: Label, name: str) -> list[str]:
    """Return the columns of what a model predicts: one, or one a class."""
    return [f"{name}_{each}" for each in label.scored_classes] or [name]


def _reserved(columns: Iterable[str], at: tuple[str, ...]) -> Iterator[Collision]:
    return ((column, "every table of the lake", at) for column in columns if is_reserved(column))


def _meeting(columns: Iterable[str], ours: Collection[str], place: str, at: tuple[str, ...]) -> Iterator[Collision]:
    return ((column, place, at) for column in columns if column in ours)
