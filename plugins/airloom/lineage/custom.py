"""Airloom's own facets; each has a JSON schema of its name in `schemas/`."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any, ClassVar

import attr
from openlineage.client.facet_v2 import DatasetFacet, RunFacet, column_lineage_dataset, schema_dataset

#: The facets by the key under which they stand in an event.
PARTITION, RUN, TRAINING, VERDICT = "airloom_partition", "airloom_run", "airloom_training", "airloom_gate_verdict"


def schema_of(facet: str) -> dict[str, Any]:
    """Read the JSON schema of one of Airloom's facets."""
    schema: dict[str, Any] = json.loads((files(__package__) / "schemas" / f"{facet}.json").read_text("utf-8"))
    return schema


def _schema_url(facet: str) -> str:
    return f"urn:airloom:facet:{facet}:1"


# Names of columns, days and digests are no secrets: a column that is called `token` must not disappear, and looking for
# secrets takes Airflow's provider 50 microseconds a value.


@attr.define
class ColumnsDatasetFacet(schema_dataset.SchemaDatasetFacet):
    """The standard's facet `schema`."""

    _additional_skip_redact: ClassVar[list[str]] = ["fields"]


@attr.define
class ColumnLineageDatasetFacet(column_lineage_dataset.ColumnLineageDatasetFacet):
    """The standard's facet `columnLineage`."""

    _additional_skip_redact: ClassVar[list[str]] = ["fields", "dataset"]


@attr.define
class PartitionDatasetFacet(DatasetFacet):
    """Which partitions of a dataset were read or written, in which versions."""

    partitions: list[dict[str, Any]]
    commit: int | None = None

    _additional_skip_redact: ClassVar[list[str]] = ["partitions"]

    @staticmethod
    def _get_schema() -> str:
        return _schema_url(PARTITION)


@attr.define
class AirloomRunFacet(RunFacet):
    """What a task did it for: a stage of a pipeline, and a partition."""

    pipeline: str
    partition: str
    stage: str
    headline: str | None = None
    declaration: str | None = None
    code: str | None = None

    @staticmethod
    def _get_schema() -> str:
        return _schema_url(RUN)


@attr.define
class TrainingRunFacet(RunFacet):
    """What a candidate learned from, and how."""

    digest: str
    rows: int
    holdoutRows: int
    degraded: bool
    dropped: dict[str, int]
    lake: dict[str, int]
    candidate: str | None = None
    run: str | None = None
    seconds: float | None = None

    _additional_skip_redact: ClassVar[list[str]] = ["lake", "dropped"]

    @staticmethod
    def _get_schema() -> str:
        return _schema_url(TRAINING)


@attr.define
class GateVerdictRunFacet(RunFacet):
    """What the gate has decided, rule by rule."""

    id: str
    outcome: str
    challenger: int
    champion: int | None
    pinned: str | None
    checks: list[dict[str, Any]]

    @staticmethod
    def _get_schema() -> str:
        return _schema_url(VERDICT)
