"""Runs the SQL of a label over what happened to a day's scored rows, and over nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING

from airloom.core.errors import DataError, DeclarationError
from airloom.core.partitions import after, as_of
from airloom.core.pipeline import EXAMPLES, Label, Pipeline
from airloom.steps.feature_query import as_kept, kept_type, known_rows, run_query
from airloom.steps.label_inputs import LabelInputs

if TYPE_CHECKING:
    import pyarrow as pa
    from duckdb import DuckDBPyConnection


def run_label_query(
    engine: DuckDBPyConnection, inputs: LabelInputs, day: date, raw: Mapping[str, pa.Table], examples: pa.Table
) -> tuple[pa.Table, int]:
    """Compute the labels of the rows that were scored on one day.

    The SQL sees every table that it reads under its own name, with the rows of the days until the label is mature that
    were known by then; `examples`, the scored rows; `$as_of`, the end of the day, and `$until`, the end of the horizon.

    Args:
        engine: The engine.
        inputs: What is published, and the query.
        day: The day.
        raw: Rows of the tables that the query reads, of more days perhaps, in a stable order.
        examples: The scored rows of the day.

    Returns:
        The labels of scored rows, one each, with their key; and how many rows of the result are of no scored row.

    Raises:
        DeclarationError: The SQL cannot be run, or gives other columns than the label and its key.
        DataError: The SQL gives several rows for a key, or values of a type that is no label.
    """
    import pyarrow as pa

    pipeline, label, zone = inputs.pipeline, inputs.pipeline.label, inputs.pipeline.schedule.timezone
    if not examples.num_rows or inputs.untyped():
        return pa.table({}), 0
    known = as_of(day + label.matures_after, zone)
    tables = {
        table: known_rows(raw[table], found, pipeline.tables[table].known_at, known)
        for table, found in inputs.found(day).items()
    }
    where = f"include/{pipeline.name}/{label.sql}"
    moments = {"as_of": as_of(day, zone), "until": after(day, label.horizon, zone)}
    result = run_query(engine, "the label", inputs.sql, where, {**tables, EXAMPLES: examples}, moments)
    return _of_examples(_typed(pipeline, result, examples, where), examples, list(pipeline.label_key), where)


def _typed(pipeline: Pipeline, result: pa.Table, examples: pa.Table, where: str) -> pa.Table:
    """Return the label and its key, which has the types that it has in the scored rows."""
    import pyarrow as pa

    key, label = pipeline.label_key, pipeline.label
    missing = [name for name in key if name not in examples.column_names]
    if missing:
        raise DataError(
            "The label's key names columns that the scored rows do not have.",
            where=f"pipeline {pipeline.name}, table {pipeline.score.entities}",
            found=", ".join(examples.column_names),
            expected=", ".join(missing),
            do="correct `label.key`: both the scored rows and the result of the query have its columns",
        )
    if sorted(result.column_names) != sorted([*key, label.column]):
        raise DeclarationError(
            "The SQL of the label gives other columns than the label and its key.",
            where=where,
            found=", ".join(result.column_names),
            expected=", ".join([*key, label.column]),
        )
    columns = {}
    for name in key:
        kind = examples.schema.field(name).type
        try:
            columns[name] = result.column(name).cast(kind)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            raise DataError(
                "A key of the label has another type than in the scored rows.",
                where=f"{where}, column {name}",
                found=str(result.schema.field(name).type),
                expected=str(kind),
                do="cast it in the SQL",
            ) from None
    return pa.table({**columns, label.column: _labels(label, result, where)})


def _labels(label: Label, result: pa.Table, where: str) -> pa.ChunkedArray:
    """Return labels as they are kept: classes as they are called, everything else as a number."""
    import pyarrow as pa

    field = result.schema.field(label.column)
    kind = kept_type(field, "the label", where)
    wanted = kind if label.kind == "multiclass" or (label.classes and pa.types.is_string(kind)) else pa.float64()
    if pa.types.is_timestamp(kind) or (pa.types.is_string(kind) and wanted != kind):
        raise DataError(
            f"A {label.kind} label is a number.",
            where=f"{where}, column {field.name}",
            found=str(field.type),
            expected="a number or a boolean",
            do="cast it in the SQL" + (", or declare `label.classes`" if label.kind == "binary" else ""),
        )
    kept = as_kept(result.column(label.column), wanted)
    if kept is None:
        raise DataError(
            f"Values of the label {label.column} do not fit the type in which labels are kept.",
            where=f"{where}, column {field.name}",
            found=str(field.type),
            expected=f"values that {wanted} holds exactly",
            do="cast it in the SQL",
        )
    return kept


def _of_examples(rows: pa.Table, examples: pa.Table, key: list[str], where: str) -> tuple[pa.Table, int]:
    """Return the labels of scored rows, one each, and the number of rows that are of none."""
    kept = rows.join(examples.select(key), keys=key, join_type="left semi")
    repeated = kept.num_rows - kept.group_by(key).aggregate([]).num_rows
    if repeated:
        raise DataError(
            "The SQL of the label gives several rows for a key.",
            where=where,
            found=f"{repeated} rows with a key seen before, of {kept.num_rows}",
            expected=f"one row for each {', '.join(key)}",
            do="group by the key",
        )
    return kept.sort_by([(name, "ascending") for name in key]), rows.num_rows - kept.num_rows
