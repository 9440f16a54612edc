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
#: What results by row call what each side has predicted.
COMPARED = ("challenger", "champion", "constant", "linear", "latest", "same_weekday")

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
    scored = pipeline.tables[entities]
    at_key = ("tables", entities, "key")

    for name, table in pipeline.tables.items():
        moments = {"time": (table.time,), "known_at": (table.known_at,)}
        for key, columns in {"key": table.key, **moments, "columns": table.columns or ()}.items():
            yield from _reserved(columns, ("tables", name, key))
    yield from _reserved((pipeline.label.column,), ("label", "column"))
    yield from _reserved(pipeline.label.key or (), ("label", "key"))
    yield from _reserved((*inputs.categorical, *inputs.numeric), ("train", "inputs"))
    yield from _reserved((pipeline.train.weight,) if pipeline.train.weight else (), ("train", "weight"))

    compared = {column for name in COMPARED for column in _outputs(pipeline.label, name)}
    yield from _meeting(scored.key, compared, "results by row", at_key)
    yield from _meeting((pipeline.label.column,), compared, "results by row", ("label", "column"))
    yield from _meeting(gate.slices.by if gate.slices else (), compared, "results by row", ("gate", "slices", "by"))
    yield from _meeting(gate.cluster or (), compared, "results by row", ("gate", "cluster"))


def _outputs(label: Label, name: str) -> list[str]:
    """Return the columns of what a model predicts: one, or one a class."""
    return [f"{name}_{each}" for each in label.scored_classes] or [name]


def _reserved(columns: Iterable[str], at: tuple[str, ...]) -> Iterator[Collision]:
    return ((column, "every table", at) for column in columns if is_reserved(column))


def _meeting(columns: Iterable[str], ours: Collection[str], place: str, at: tuple[str, ...]) -> Iterator[Collision]:
    return ((column, place, at) for column in columns if column in ours)
