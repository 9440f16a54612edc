"""unpublish: take a published day of a table back, everywhere, as one promise that survives a death at any point."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

from airloom.core.documents import did_you_mean
from airloom.core.errors import DataError, UsageError
from airloom.core.failpoints import failpoint
from airloom.core.pipeline import Pipeline
from airloom.core.records import Dataset, Withdrawn
from airloom.core.settings import Settings
from airloom.core.wording import counted
from airloom.steps.built_on import built_on
from airloom.steps.materialize import bring_online
from airloom.steps.outcomes import PREDICTIONS
from airloom.steps.readiness import LABELS, own_labels
from airloom.stores.lake import Lake, PartitionVersion
from airloom.stores.sink import open_sink
from airloom.stores.withdrawals import Withdrawal, Withdrawals

Tell = Callable[[Withdrawn], None]


def find_table(pipeline: Pipeline, name: str) -> str:
    """Return the table of the lake that a person names: `flights` and `raw.flights` are the same.

    Raises:
        UsageError: There is no such table or view, or the name is one of both.
    """
    tables = [f"raw.{table}" for table in pipeline.tables]
    views = [f"features.{view}" for view in pipeline.features.views]
    known = [*tables, *views, PREDICTIONS]
    found = [each for each in known if name in (each, each.partition(".")[2])]
    if len(found) > 1:
        raise UsageError(f"{name!r} is a table and a view of {pipeline.name}.", expected=" or ".join(found))
    if not found:
        short = [each.partition(".")[2] or each for each in known]
        raise UsageError(
            f"{pipeline.name} has no table or view {name!r}.{did_you_mean(name, [*short, *known])}",
            expected=", ".join(known),
        )
    return found[0]


def preview(pipeline: Pipeline, table: str, partition: date, settings: Settings) -> tuple[Withdrawal | None, list[str]]:
    """Return the withdrawal that was begun already, and what was built on the day.

    Raises:
        DataError: The day is not published, and was not taken back.
    """
    begun, version = _looked(pipeline, table, partition, settings)
    return begun, built_on(pipeline, table, partition, version, settings)


def unpublish(
    pipeline: Pipeline, table: str, partition: date, actor: str, reason: str, settings: Settings, tell: Tell
) -> Withdrawn:
    """Take a published day back; killed in between, the same again does what is left, and of one that is done nothing.

    Who and why are kept first. Then the day is removed from the lake, from the online store (its rows become the newest
    that remain) or from the copied predictions, and lineage is told. From the first moment nothing waits for the day
    and nothing heals it, until a run for this very day publishes it again.

    Args:
        pipeline: The declaration.
        table: The table of the lake, as `find_table` returns it.
        partition: The day; it may be one that has not ended.
        actor: Who.
        reason: Why.
        settings: Where everything is.
        tell: Tells lineage.

    Returns:
        What was taken back.

    Raises:
        DataError: The day is not published, and was not taken back.
        Unavailable: Something else was published meanwhile, and is kept; or a server does not answer.
        SetupError: A store refuses.
    """
    begun, version = _looked(pipeline, table, partition, settings)
    withdrawals, lake = Withdrawals.of(pipeline.name, settings), Lake(settings.lake / pipeline.name)
    if begun is None:
        # One that lasts is of what was published again since, by a run that was killed before it said so.
        withdrawals.end(table, partition, "publish")
    built = built_on(pipeline, table, partition, version, settings)
    if begun and begun.done:
        return _record(pipeline, lake, begun, built)
    withdrawal = withdrawals.begin(table, partition, version, actor, reason)
    failpoint("unpublish.after_intent")
    for each in _together(pipeline, table):
        _remove(lake, each, withdrawal)
    failpoint("unpublish.after_lake")
    if table.startswith("features."):
        bring_online(pipeline, [table.removeprefix("features.")], [partition], settings)
    if table == PREDICTIONS and (sink := open_sink(pipeline, settings)):
        sink.remove(partition)
    record = _record(pipeline, lake, withdrawal, built)
    tell(record)
    failpoint("unpublish.after_lineage")
    withdrawals.finish(withdrawal)
    return record


def _looked(pipeline: Pipeline, table: str, partition: date, settings: Settings) -> tuple[Withdrawal | None, str]:
    """Return the withdrawal of what is published that was begun already, and the version of the content."""
    begun = Withdrawals.of(pipeline.name, settings).lasting().get((table, partition))
    present = Lake(settings.lake / pipeline.name).partitions(table).get(partition)
    if present and begun and not begun.done and present.version == begun.version:
        return begun, present.version
    if present:
        return None, present.version
    if begun:
        return begun, begun.version
    raise DataError(
        f"{table} of {partition} is not published.",
        where=f"pipeline {pipeline.name}",
        do=f"see which days there are: airloom status {pipeline.name}",
    )


def _together(pipeline: Pipeline, table: str) -> list[str]:
    """Return the tables of the lake that ingest publishes together: labels are split off their rows."""
    return [table, LABELS] if table == f"raw.{own_labels(pipeline)}" else [table]


def _remove(lake: Lake, table: str, withdrawal: Withdrawal) -> None:
    """Remove the day from one table, if it is what was to be taken back."""
    present = lake.partitions(table).get(withdrawal.partition)
    if present is None:
        return
    expected = withdrawal.version if table == withdrawal.table else present.version
    wanted = PartitionVersion(withdrawal.partition, expected, present.inputs, present.degraded)
    dataset = lake.dataset(table, [withdrawal.partition])
    facts = {
        "version": expected,
        "rows": dataset.count_rows() if dataset else None,
        "commit": lake.commit(table),
        "actor": withdrawal.actor,
        "reason": withdrawal.reason,
    }
    lake.withdraw(table, wanted, {"withdrawn": facts})


def _record(pipeline: Pipeline, lake: Lake, withdrawal: Withdrawal, built: list[str]) -> Withdrawn:
    commit = lake.commit(withdrawal.table)
    kept = {} if commit is None else lake.commit_facts(withdrawal.table, commit).get(withdrawal.partition, {})
    facts = kept.get("withdrawn", {})
    rows, last = facts.get("rows"), facts.get("commit")
    what = f"{withdrawal.table} of {withdrawal.partition}"
    size = f", {counted(rows, 'row')}" if rows is not None else ""
    return Withdrawn(
        pipeline=pipeline.name,
        partition=withdrawal.partition,
        headline=f"took back {what}{size}, version {withdrawal.version}, by {withdrawal.actor}"
        + (f": {withdrawal.reason}" if withdrawal.reason else ""),
        outputs=(
            Dataset(name=withdrawal.table, partition=withdrawal.partition, version=withdrawal.version, rows=rows),
        ),
        table=withdrawal.table,
        version=withdrawal.version,
        commit=last,
        rows=rows,
        actor=withdrawal.actor,
        reason=withdrawal.reason,
        decided_at=withdrawal.decided_at,
        built=tuple(built),
    )
