"""Validate: audit one staged table; what fails goes to quarantine with the reason."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from airloom.core.audit import Finding, Judgement, judge, judge_empty
from airloom.core.documents import did_you_mean
from airloom.core.errors import UsageError
from airloom.core.expectations import Suite, day_parameters, read_suite
from airloom.core.partitions import require_ended
from airloom.core.pipeline import Pipeline, Table
from airloom.core.records import Dataset, Validation
from airloom.core.settings import Settings
from airloom.core.wording import counted
from airloom.steps.check import check, version
from airloom.steps.extract import staged_dataset
from airloom.steps.times import unknown_times
from airloom.stores.content import exact_frame
from airloom.stores.quarantine import Quarantine
from airloom.stores.staging import Staging
from airloom.stores.validations import ValidationResults

if TYPE_CHECKING:
    import pyarrow as pa


def validate(pipeline: Pipeline, partition: date, table: str, settings: Settings) -> Validation:
    """Audit one staged table of a partition.

    A blocked table is put into quarantine here and stops the partition when it is published. A day without rows passes
    where the table allows it: there is nothing that an expectation could be about, and the audit notes so.

    Args:
        pipeline: The declaration.
        partition: The day.
        table: The table.
        settings: Where staging, quarantine and results are.

    Returns:
        The outcome and where its immutable result is; auditing the same content again gives the same.

    Raises:
        UsageError: The pipeline has no such table.
        DeclarationError: The suite cannot be read.
        DataError: The table is not staged, or the staged file cannot be read.
    """
    require_ended(partition, pipeline.schedule.timezone)
    declared = _declared(pipeline, table)
    suite = suite_of(pipeline, table, settings)
    rows = Staging(settings.staging / pipeline.name).read(partition, table)
    if rows.num_rows:
        findings = check(exact_frame(rows), suite, day_parameters(partition, pipeline.schedule.timezone))
        findings += unknown_times(rows, declared, findings)
        judgement = judge(findings, rows.num_rows, declared.quarantine.max_share)
    else:
        findings, judgement = [], judge_empty(allowed=pipeline.allows_empty(table))
    staged = staged_dataset(table, partition, rows)
    content = {
        "pipeline": pipeline.name,
        "table": table,
        "partition": partition.isoformat(),
        "staged": staged.version,
        "rows": rows.num_rows,
        "suite": suite.digest,
        "max_share": declared.quarantine.max_share,
        "great_expectations": version(),
        **_judged(judgement),
        "results": [_result(each) for each in findings],
    }
    result = ValidationResults(settings.validations).write(pipeline.name, table, partition, content)
    if judgement.outcome == "blocked":
        _block(pipeline, partition, table, rows, judgement, result, settings)
    return Validation(
        pipeline=pipeline.name,
        partition=partition,
        headline=_headline(table, rows, findings, judgement),
        inputs=(staged,),
        outputs=(validation_dataset(table, partition, result),),
        table=table,
        outcome=judgement.outcome,
        expectations=len(findings),
        rows=rows.num_rows,
        quarantined_rows=len(judgement.held_back),
        failures=judgement.failures,
        result=result,
    )


def validation_dataset(table: str, partition: date | None, result: str) -> Dataset:
    """Name the immutable result of an audit by the digest that its file is called."""
    return Dataset(name=f"validation.{table}", partition=partition, version=PurePosixPath(result).stem)


def suite_of(pipeline: Pipeline, table: str, settings: Settings) -> Suite:
    """Read the expectations about a table.

    Raises:
        DeclarationError: The suite cannot be read.
    """
    return read_suite(settings.include / pipeline.name / pipeline.tables[table].expectations)


def _declared(pipeline: Pipeline, table: str) -> Table:
    if table not in pipeline.tables:
        raise UsageError(
            f"The pipeline {pipeline.name} has no table {table!r}.{did_you_mean(table, pipeline.tables)}",
            expected=", ".join(pipeline.tables),
        )
    return pipeline.tables[table]


def _block(
    pipeline: Pipeline,
    partition: date,
    table: str,
    rows: pa.Table,
    judgement: Judgement,
    result: str,
    settings: Settings,
) -> None:
    Quarantine(settings.quarantine / pipeline.name).block(table, partition, rows, judgement.reasons, result)


def _judged(judgement: Judgement) -> dict[str, Any]:
    return {
        "outcome": judgement.outcome,
        "degraded": judgement.degraded,
        "held_back": list(judgement.held_back),
        "reasons": list(judgement.reasons),
    }


def _result(finding: Finding) -> dict[str, Any]:
    expectation = finding.expectation
    return {
        "expectation": expectation.expectation,
        "severity": expectation.severity,
        "arguments": {name: _json(value) for name, value in expectation.declared.items()},
        "outcome": finding.kind,
        "found": finding.found,
        "statistics": finding.statistics,
    }


def _json(value: Any) -> Any:
    return value if isinstance(value, (str, int, float, bool, list, dict, type(None))) else str(value)


def _headline(table: str, rows: pa.Table, findings: Sequence[Finding], judgement: Judgement) -> str:
    if not rows.num_rows:
        return f"{table}: no rows" + (", blocked" if judgement.outcome == "blocked" else ", which the table allows")
    parts = [
        f"{table}: {counted(rows.num_rows, 'row')}",
        counted(len(findings), "expectation"),
        f"{len(judgement.failures)} failed",
    ]
    parts += [f"{counted(len(judgement.held_back), 'row')} quarantined"] if judgement.held_back else []
    parts += ["blocked"] if judgement.outcome == "blocked" else []
    return ", ".join(parts)
