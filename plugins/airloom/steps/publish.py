"""Publish: make the audited content of a partition readable, or nothing of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from airloom.core.errors import DataError
from airloom.core.partitions import require_ended
from airloom.core.pipeline import Pipeline
from airloom.core.records import Dataset, Published, Validation
from airloom.core.settings import Settings
from airloom.core.wording import counted
from airloom.steps.entity_keys import require_row_keys
from airloom.steps.extract import staged_dataset
from airloom.steps.gone_columns import require_used_columns
from airloom.steps.readiness import LABELS, own_labels
from airloom.steps.validate import suite_of, validation_dataset
from airloom.stores.content import content_version
from airloom.stores.lake import Lake, PartitionVersion
from airloom.stores.quarantine import Quarantine
from airloom.stores.staging import Staging
from airloom.stores.validations import ValidationResults
from airloom.stores.withdrawals import Withdrawals

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class _Audited:
    """A staged table together with the audit of exactly this content, and what was published before it was read."""

    table: str
    seen: Mapping[str, Mapping[date, PartitionVersion]]
    staged: Dataset
    rows: pa.Table
    result: str
    audit: dict[str, Any]

    @property
    def validation(self) -> Dataset:
        """The audit's result."""
        return validation_dataset(self.table, self.staged.partition, self.result)

    @property
    def held_back(self) -> pa.Table:
        """The rows that the audit holds back."""
        return self._take(self.audit["held_back"])

    @property
    def published(self) -> pa.Table:
        """The rows that the audit lets through."""
        held_back = set(self.audit["held_back"])
        return self._take([position for position in range(self.rows.num_rows) if position not in held_back])

    def _take(self, positions: list[int]) -> pa.Table:
        import pyarrow as pa

        return self.rows.take(pa.array(positions, pa.int64()))


def publish(pipeline: Pipeline, partition: date, settings: Settings, validations: Sequence[Validation]) -> Published:
    """Publish every table of an audited partition, each in one atomic commit.

    Everything is checked before anything is written: what is staged must be what was audited, with the suite as it is.

    Args:
        pipeline: The declaration.
        partition: The day.
        settings: Where the lake is.
        validations: The audits, one for each declared table.

    Returns:
        What is published now.

    Raises:
        DataError: A table is blocked, was not audited or does not fit the lake, and is blocked then; nothing is
            published.
        Unavailable: Another run has published the day since this one began; its content is kept.
    """
    require_ended(partition, pipeline.schedule.timezone)
    _require_every_table(pipeline, partition, validations)
    lake = Lake(settings.lake / pipeline.name)
    audited = [_audited(pipeline, partition, each, settings, lake) for each in validations]
    _require_none_blocked(partition, audited)
    _require_all_fit(pipeline, partition, settings, lake, audited)
    outputs, withdrawals = list[Dataset](), Withdrawals.of(pipeline.name, settings)
    for each in audited:
        outputs += _replace(pipeline, partition, settings, lake, each)
        withdrawals.end(f"raw.{each.table}", partition, "ingest")
    held_back = sum(len(each.audit["held_back"]) for each in audited)
    return Published(
        pipeline=pipeline.name,
        partition=partition,
        headline=_headline(pipeline, outputs, held_back),
        inputs=tuple(read for each in audited for read in (each.staged, each.validation)),
        outputs=tuple(outputs),
        changed=sum(not output.unchanged for output in outputs),
        quarantined_rows=held_back,
        degraded=any(each.audit["degraded"] for each in audited),
    )


def _headline(pipeline: Pipeline, outputs: Sequence[Dataset], held_back: int) -> str:
    subject = pipeline.subject
    rows = next(each.rows for each in outputs if each.name == f"raw.{subject}")
    return f"published {len(pipeline.tables)} tables, {rows:,} {subject}" + (
        f"; {counted(held_back, 'row')} quarantined" if held_back else ""
    )


def _require_every_table(pipeline: Pipeline, partition: date, validations: Sequence[Validation]) -> None:
    foreign = [each for each in validations if (each.pipeline, each.partition) != (pipeline.name, partition)]
    audited = sorted(each.table for each in validations)
    if foreign or audited != sorted(pipeline.tables):
        raise DataError(
            f"The audits are not those of every table of {pipeline.name} of {partition}.",
            found=", ".join(f"{each.pipeline}.{each.table} of {each.partition}" for each in validations) or "none",
            expected=f"one audit each of {', '.join(pipeline.tables)}",
            do="validate every table of this partition",
        )


def _audited(pipeline: Pipeline, partition: date, validation: Validation, settings: Settings, lake: Lake) -> _Audited:
    """Read what is staged now, and make sure that the audit was of exactly this."""
    table = validation.table
    # First: whoever corrects the day from here on is not overwritten.
    seen = {name: lake.partitions(name) for name in (f"raw.{table}", LABELS)}
    audit = ValidationResults(settings.validations).read(validation.result)
    rows = Staging(settings.staging / pipeline.name).read(partition, table)
    staged = staged_dataset(table, partition, rows)
    expected = {
        "pipeline": pipeline.name,
        "table": table,
        "partition": partition.isoformat(),
        "staged": staged.version,
        "suite": suite_of(pipeline, table, settings).digest,
        "max_share": pipeline.tables[table].quarantine.max_share,
    }
    if not rows.num_rows:
        expected["outcome"] = "passed" if pipeline.allows_empty(table) else "blocked"
    for name, value in expected.items():
        if audit.get(name) != value:
            raise DataError(
                f"The audit of {table} of {partition} is not of what would be published.",
                where=validation.result,
                found=f"{name} {audit.get(name)}",
                expected=f"{name} {value}",
                do="validate the table again",
            )
    return _Audited(table, seen, staged, rows, validation.result, audit)


def _require_none_blocked(partition: date, audited: Sequence[_Audited]) -> None:
    blocked = [each for each in audited if each.audit["outcome"] == "blocked"]
    if blocked:
        raise DataError(
            f"{len(blocked)} of {len(audited)} tables of {partition} are blocked; nothing is published.",
            where=", ".join(each.table for each in blocked),
            found="\n            ".join(
                f"{each.table}: {reason}" for each in blocked for reason in each.audit["reasons"]
            ),
            do="correct the source and run the ingest stage for this partition again",
        )


def _require_all_fit(
    pipeline: Pipeline, partition: date, settings: Settings, lake: Lake, audited: Sequence[_Audited]
) -> None:
    """Check every table and block those that do not fit: the same again would not, and nothing has to wait for it."""
    refusals = []
    for each in audited:
        try:
            _require_fit(pipeline, partition, settings, lake, each)
        except DataError as error:
            quarantine = Quarantine(settings.quarantine / pipeline.name)
            quarantine.block(each.table, partition, each.rows, [error.brief], each.result)
            refusals.append(error)
    if refusals:
        raise refusals[0]


def _require_fit(pipeline: Pipeline, partition: date, settings: Settings, lake: Lake, audited: _Audited) -> None:
    """Check what no suite can relax: rows have one key each, and the columns that are used, in types that fit."""
    rows = audited.published
    if not rows.num_rows:
        return
    require_row_keys(audited.table, pipeline.tables[audited.table].key, rows)
    if audited.table == own_labels(pipeline) and pipeline.label.column not in rows.column_names:
        raise DataError(
            f"The table {audited.table} has no column {pipeline.label.column!r}, which is the label.",
            where=f"table {audited.table}",
            found=", ".join(rows.column_names),
            do="correct the source, or `label.column`",
        )
    require_used_columns(pipeline, settings, lake, audited.table, partition, rows.column_names)
    for name, each in _lake_tables(pipeline, audited).items():
        lake.require_fit(name, partition, each)


def _replace(pipeline: Pipeline, partition: date, settings: Settings, lake: Lake, audited: _Audited) -> list[Dataset]:
    """Keep held back rows first and lift a block last: killed in between, running again ends in the same state."""
    quarantine = Quarantine(settings.quarantine / pipeline.name)
    table, held_back = audited.table, audited.held_back
    if held_back.num_rows:
        quarantine.hold_back(table, partition, held_back, audited.audit["reasons"], audited.result)
    facts = {"validation": audited.result, "quarantined_rows": held_back.num_rows}
    outputs = []
    for name, each in _lake_tables(pipeline, audited).items():
        version = PartitionVersion(partition, content_version(each), degraded=audited.audit["degraded"])
        new = lake.replace(name, version, each, facts, audited.seen[name])
        outputs.append(_published(lake, audited, name, version, each, new))
    if not held_back.num_rows:
        quarantine.lift(table, partition)
    return outputs


def _lake_tables(pipeline: Pipeline, audited: _Audited) -> dict[str, pa.Table]:
    """Return the rows that are published of a staged table, by table of the lake: a label in them is one apart."""
    table, rows = audited.table, audited.published
    if rows.num_rows:
        rows = rows.sort_by([(name, "ascending") for name in pipeline.tables[table].key])
    if table != own_labels(pipeline):
        return {f"raw.{table}": rows}
    rows, labels = _split(pipeline, table, rows)
    return {LABELS: labels, f"raw.{table}": rows}


def _split(pipeline: Pipeline, table: str, rows: pa.Table) -> tuple[pa.Table, pa.Table]:
    """Return rows without the label, which is not known when they are scored, and the label with the rows' keys."""
    if not rows.num_rows:
        return rows, rows
    column, key = pipeline.label.column, [*pipeline.tables[table].key, *pipeline.label_key]
    return rows.drop_columns([column]), rows.select([*dict.fromkeys(key), column])


def _published(
    lake: Lake, audited: _Audited, name: str, version: PartitionVersion, rows: pa.Table, new: bool
) -> Dataset:
    return Dataset(
        name=name,
        partition=version.partition,
        version=version.version,
        rows=rows.num_rows,
        columns={field.name: str(field.type) for field in rows.schema},
        commit=lake.commit(name),
        unchanged=not new,
        made_of=(audited.staged, audited.validation),
    )
