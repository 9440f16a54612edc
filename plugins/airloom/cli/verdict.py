"""`airloom verdict`: why the gate has decided so, rule by rule."""

from __future__ import annotations

import json
from typing import Annotated

import typer
from rich.table import Table

from airloom.cli.console import chosen, console
from airloom.core.errors import GateError
from airloom.core.partitions import parse_partition
from airloom.core.settings import Settings
from airloom.core.verdict import Verdict
from airloom.core.wording import counted, listed
from airloom.steps.superseded import superseded
from airloom.stores.lake import Lake
from airloom.stores.ledger import Ledger
from airloom.stores.notes import Notes


def verdict(
    pipeline: Annotated[str, typer.Argument(help="Name of the pipeline.")],
    partition: Annotated[str, typer.Argument(help="The night, YYYY-MM-DD.")],
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Show the newest verdict of a night: every rule with what was found and what was expected."""
    settings = Settings.from_environment()
    [declared] = chosen(settings, pipeline)
    day = parse_partition(partition)
    verdicts = Ledger(settings.state_url).verdicts(declared.name, day)
    if not verdicts:
        raise GateError(f"{declared.name} has no verdict of {day}.", do=f"see: airloom ledger {declared.name}")
    found = verdicts[-1]
    changed = superseded(declared, found, Lake(settings.lake / declared.name))
    reviews = [
        note.reason for note in Notes(settings.state_url).of(declared.name, "reviewed") if note.subject == found.id
    ]
    if as_json:
        typer.echo(json.dumps({**found.model_dump(mode="json"), "superseded": changed, "reviewed": reviews}, indent=2))
        return
    _print(found, len(verdicts) - 1, changed, reviews)


def _print(found: Verdict, earlier: int, changed: list[str], reviews: list[str]) -> None:
    table = Table("rule", "", "found", "expected", title=f"{found.pipeline} {found.partition}", title_justify="left")
    for check in found.checks:
        table.add_row(check.rule, "passed" if check.passed else "[red]failed[/red]", check.found, check.expected)
    console.print(table)
    sides = [("challenger", found.challenger), *([("champion", found.champion)] if found.champion else [])]
    lines = {
        "verdict": f"{found.outcome}: {found.reasons}",
        **{name: f"version {judged.version} of {judged.as_of}: {_metrics(judged.metrics)}" for name, judged in sides},
        **{name: _metrics(metrics) for name, metrics in found.baselines.items()},
        "rows": f"{found.challenger.rows:,}, the same for all ({found.challenger.rows_digest})",
        **_sample(found),
        "data": f"training set {found.training_digest}" + (", degraded" if found.degraded else ""),
        "rules": f"declaration {found.pipeline_digest}",
        "identity": found.id + (f"; {earlier} earlier of this night" if earlier else ""),
    }
    warnings = list(found.warnings)
    if changed:
        count = counted(len(changed), "partition")
        warnings.append(f"the training set was read from {count} that changed since: {listed(changed)}")
    later = [*(("reviewed", each) for each in reviews), *(("warning", each) for each in warnings)]
    for name, line in [*lines.items(), *later]:
        console.print(f"{name:<11} {line}", highlight=False, markup=False, soft_wrap=True)


def _sample(found: Verdict) -> dict[str, str]:
    """Tell what the gain's interval rests on, and what it would be if rows were independent."""
    effect = found.comparison.effect if found.comparison else None
    if effect is None or effect.sampling is None:
        return {}
    told = f"{effect.sampling}, {effect.sampling.effective:.3g} of them independent"
    if effect.by_rows:
        lower, upper = effect.by_rows
        told += f"; row by row the interval would be [{lower:+.4f}, {upper:+.4f}]"
    return {"blocks": told}


def _metrics(metrics: dict[str, float | None]) -> str:
    values = (f"{name} {value:.4f}" for name, value in metrics.items() if value is not None)
    return ", ".join(values) or "could not be scored"
