"""compute: features from the published days of each view's window, and again those that a correction made stale."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from airloom.core.errors import AirloomError, DataError, DeclarationError, NotDue, SetupError
from airloom.core.partitions import as_of, require_ended
from airloom.core.pipeline import Pipeline
from airloom.core.records import Computed, Dataset
from airloom.core.settings import Settings
from airloom.core.wording import counted
from airloom.steps.declared_types import as_declared
from airloom.steps.entity_keys import require_entity_keys
from airloom.steps.feature_query import query_engine, run_feature_query
from airloom.steps.inputs import FeatureInputs, ViewInputs
from airloom.steps.raw_days import RawDays, read_raw
from airloom.stores.content import content_version
from airloom.stores.lake import Lake, PartitionVersion
from airloom.stores.partition_columns import own_columns
from airloom.stores.quarantine import Quarantine
from airloom.stores.withdrawals import Withdrawals

if TYPE_CHECKING:
    import pyarrow as pa
    from duckdb import DuckDBPyConnection

_log = logging.getLogger(__name__)

#: How often what is published may change while its features are computed.
_ROUNDS = 5

Stale = list[tuple[str, date]]


def compute(pipeline: Pipeline, partition: date, settings: Settings) -> Computed:
    """Compute the features of a partition, and again those of other published days whose inputs have changed.

    A day is computed from what is published; missing or degraded days of a window make it degraded, and a view that
    has nothing at all to be computed from is left out until there is something. What was computed is compared with
    what is published afterwards, so that a correction that came in between is not overlooked. A day that is refused is
    blocked with the reason until it can be computed; another day than the partition stops nothing.

    Args:
        pipeline: The declaration.
        partition: The day.
        settings: Where declaration and lake are.

    Returns:
        What was computed.

    Raises:
        NotDue: Not one day of any view's window is published.
        DeclarationError: The SQL cannot be run for the partition.
        DataError: A query gave nothing that can be published for the partition.
        SetupError: What is published kept changing.
    """
    require_ended(partition, pipeline.schedule.timezone)
    inputs = FeatureInputs.read(pipeline, settings)
    if not inputs.computable(partition):
        raise NotDue(
            f"There is nothing to compute the features of {partition} from: no day of any view's window is published.",
            do=f"run ingest for {partition}, then features",
        )
    lake, withdrawals = Lake(settings.lake / pipeline.name), Withdrawals.of(pipeline.name, settings)
    written: dict[tuple[str, date], Written] = {}
    refused: dict[date, AirloomError] = {}
    for _ in range(_ROUNDS):
        stale = [(name, day) for name, day in inputs.stale(partition) if day not in refused]
        if not stale:
            lift_blocks(inputs, settings)
            for used in inputs.computable(partition):
                withdrawals.end(f"features.{used.view}", partition, "features")
            return _computed(inputs, lake, partition, written, refused)
        own = [(name, day) for name, day in stale if day == partition]
        done, failed = compute_stale(inputs, lake, own or stale, settings)
        if partition in failed:
            raise failed[partition]
        written, refused = written | done, refused | failed
        inputs = inputs.again(lake)
    raise SetupError(
        f"What the features of {partition} are computed from kept changing.",
        where=f"pipeline {pipeline.name}",
        found=", ".join(f"features.{name} {day}" for name, day in stale),
        do="wait until nobody publishes these days, then run again",
    )


@dataclass(frozen=True)
class Written:
    """What was computed for one day of one view, and whether the lake had it already."""

    dataset: Dataset
    new: bool


def compute_stale(
    inputs: FeatureInputs, lake: Lake, stale: Stale, settings: Settings
) -> tuple[dict[tuple[str, date], Written], dict[date, AirloomError]]:
    """Compute and publish views by day; nothing of a day is published before all its views are found to be right.

    Args:
        inputs: What is published, and the queries.
        lake: The tables.
        stale: The views and days to compute.
        settings: Where the quarantine is.

    Returns:
        What was written, by view and day; and the days that were refused and are blocked, with the first error of each.
    """
    pipeline, written, refused = inputs.pipeline, {}, dict[date, AirloomError]()
    days: dict[str, set[date]] = {}
    for name, day in stale:
        for table in pipeline.features.views[name].reads:
            days.setdefault(table, set()).update(inputs.of(name, day).days)
    tables = {table: read_raw(pipeline, lake, table, each) for table, each in days.items()}
    with query_engine(pipeline.schedule.timezone) as engine:
        for day in sorted({day for _, day in stale}):
            computed = []
            for name in (name for name, each in stale if each == day):
                used = inputs.among(name, day, {table: raw.versions for table, raw in tables.items()})
                try:
                    rows = _rows(inputs, used, tables, engine)
                    lake.require_free(f"features.{name}", rows.column_names)
                    computed.append((used, rows))
                except (DataError, DeclarationError) as error:
                    _block(inputs, name, day, error, settings)
                    refused.setdefault(day, error)
            for used, rows in computed if day not in refused else ():
                written[used.view, day] = _publish(lake, used, rows)
    return written, refused


def _rows(
    inputs: FeatureInputs, used: ViewInputs, tables: Mapping[str, RawDays], engine: DuckDBPyConnection
) -> pa.Table:
    """Compute one day of one view."""
    pipeline, name = inputs.pipeline, used.view
    raw = {table: tables[table].rows for table in used.found}
    rows = run_feature_query(engine, pipeline, used, raw, as_of(used.partition, pipeline.schedule.timezone))
    where = f"include/{pipeline.name}/{pipeline.features.views[name].sql}"
    require_entity_keys(name, inputs.definitions[name].keys, rows, where)
    return as_declared(rows, inputs.definitions[name].types, where)


def _block(inputs: FeatureInputs, view: str, day: date, error: AirloomError, settings: Settings) -> None:
    """Stop a day for the stages that wait for it: the same again would be refused, and waiting would not help."""
    import pyarrow as pa

    _log.warning("features.%s of %s is refused: %s", view, day, error.brief)
    quarantine = Quarantine(settings.quarantine / inputs.pipeline.name)
    quarantine.block(f"features.{view}", day, pa.table({}), [error.brief], validation="")


def lift_blocks(inputs: FeatureInputs, settings: Settings) -> None:
    """Forget the blocks of days that could be computed after all, or that are what they were when they could be."""
    quarantine = Quarantine(settings.quarantine / inputs.pipeline.name)
    for name, published in inputs.features.items():
        for day in quarantine.blocked_days(f"features.{name}", published):
            if inputs.is_current(name, day):
                quarantine.lift(f"features.{name}", day)


def _publish(lake: Lake, used: ViewInputs, rows: pa.Table) -> Written:
    table, version = f"features.{used.view}", content_version(rows)
    by_table = {
        table: {each.partition.isoformat(): each.version for each in found} for table, found in used.found.items()
    }
    read = by_table if len(by_table) > 1 else next(iter(by_table.values()))
    published = PartitionVersion(used.partition, version, used.fingerprint, used.degraded)
    new = lake.replace(table, published, rows, {"reads": read})
    described = _dataset(lake, used, published, rows.num_rows, rows.schema)
    return Written(described.model_copy(update={"unchanged": not new}), new)


def _computed(
    inputs: FeatureInputs,
    lake: Lake,
    partition: date,
    written: Mapping[tuple[str, date], Written],
    refused: Mapping[date, AirloomError],
) -> Computed:
    used = inputs.computable(partition)
    left_out = tuple(sorted(set(inputs.pipeline.features.views) - {each.view for each in used}))
    outputs = [
        written[each.view, partition].dataset
        if (each.view, partition) in written
        else _present(lake, each, inputs.features[each.view][partition])
        for each in used
    ]
    others = [each.dataset for (_, day), each in sorted(written.items()) if day != partition]
    rows = {each.view: output.rows or 0 for each, output in zip(used, outputs, strict=True)}
    changed = sum(each.new for each in written.values())
    healed = tuple(sorted({day for _, day in written if day != partition}))
    degraded = bool(left_out) or any(each.degraded for each in used)
    return Computed(
        pipeline=inputs.pipeline.name,
        partition=partition,
        headline=_headline(rows, changed, healed, left_out, degraded)
        + (f", refused {counted(len(refused), 'other day')} from {min(refused)} on" if refused else ""),
        views=rows,
        changed=changed,
        healed=healed,
        degraded=degraded,
        inputs=read_by(*others, *outputs),
        outputs=(*others, *outputs),
    )


def _present(lake: Lake, used: ViewInputs, published: PartitionVersion) -> Dataset:
    """Describe a partition that was current already."""
    table = f"features.{used.view}"
    dataset = lake.dataset(table, [published.partition])
    if dataset is None:
        raise DataError(f"The lake has no table {table}.", where=str(lake.path(table)))
    described = _dataset(lake, used, published, dataset.count_rows(), dataset.schema)
    return described.model_copy(update={"unchanged": True})


def _dataset(lake: Lake, used: ViewInputs, published: PartitionVersion, rows: int, schema: pa.Schema) -> Dataset:
    table, columns = f"features.{used.view}", own_columns(schema.names) if rows else []
    return Dataset(
        name=table,
        partition=published.partition,
        version=published.version,
        rows=rows,
        columns={name: str(schema.field(name).type) for name in columns},
        commit=lake.commit(table),
        made_of=tuple(
            Dataset(name=f"raw.{table}", partition=each.partition, version=each.version)
            for table, found in used.found.items()
            for each in found
        ),
    )


def read_by(*outputs: Dataset) -> tuple[Dataset, ...]:
    """Name every raw partition that anything was computed from."""
    read = {(each.name, each.partition, each.version): each for output in outputs for each in output.made_of}
    return tuple(read[key] for key in sorted(read))


def _headline(
    rows: Mapping[str, int], changed: int, healed: tuple[date, ...], left_out: tuple[str, ...], degraded: bool
) -> str:
    parts = [f"{sum(rows.values()):,} rows in {len(rows)} views, {changed} partitions new"]
    parts += [f"healed {len(healed)} other days"] if healed else []
    parts += [f"left out for want of input: {', '.join(left_out)}"] if left_out else []
    empty = [view for view, count in rows.items() if not count]
    parts += [f"no rows in {', '.join(empty)}"] if empty else []
    parts += ["degraded"] if degraded else []
    return ", ".join(parts)
