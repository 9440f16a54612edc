"""`airloom ledger` and `airloom verdict`: who was champion when, and why."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer
from rich.table import Table

from airloom.cli.console import chosen, console
from airloom.core.errors import GateError
from airloom.core.partitions import parse_partition
from airloom.core.settings import Settings
from airloom.core.verdict import Judged, Verdict
from airloom.stores.ledger import Champion, Ledger
from airloom.stores.pins import Pin, Pins

_Pipeline = Annotated[str, typer.Argument(help="Name of the pipeline.")]
_Json = Annotated[bool, typer.Option("--json", help="For programs.")]


def ledger(pipeline: _Pipeline, as_json: _Json = False) -> None:
    """Show every verdict, every champion and every pin, in the order in which they were decided."""
    settings = Settings.from_environment()
    [declared] = chosen(settings, pipeline)
    book = Ledger(settings.state_url)
    champions, decisions = book.history(declared.name), book.decisions(declared.name)
    pins = Pins(settings.state_url).history(declared.name)
    if as_json:
        facts = {
            "champions": [vars(each) for each in champions],
            "verdicts": [{"decided_at": at, **_brief(verdict)} for at, verdict in decisions],
            "pins": [vars(each) for each in pins],
        }
        typer.echo(json.dumps(facts, indent=2, default=str))
        return
    table = Table("decided", "day", "what", "version", "epoch", "why", title=declared.name, title_justify="left")
    judged = [(at, _verdict_row(verdict)) for at, verdict in decisions]
    moved = [(each.decided_at, _champion_row(each)) for each in champions]
    held = [(each.decided_at, _pin_row(each)) for each in pins]
    for at, row in sorted([*judged, *moved, *held], key=lambda entry: entry[0].replace(tzinfo=None)):
        table.add_row(f"{at:%Y-%m-%d %H:%M:%S}", *row)
    console.print(table)


def verdict(
    pipeline: _Pipeline,
    partition: Annotated[str, typer.Argument(help="The night, YYYY-MM-DD.")],
    as_json: _Json = False,
) -> None:
    """Show the newest verdict of a night: every rule with what was found and what was expected."""
    settings = Settings.from_environment()
    [declared] = chosen(settings, pipeline)
    day = parse_partition(partition)
    verdicts = Ledger(settings.state_url).verdicts(declared.name, day)
    if not verdicts:
        raise GateError(f"{declared.name} has no verdict of {day}.", do=f"see: airloom ledger {declared.name}")
    found = verdicts[-1]
    if as_json:
        typer.echo(found.model_dump_json(indent=2))
        return
    _print(found, len(verdicts) - 1)


def _print(found: Verdict, earlier: int) -> None:
    table = Table("rule", "", "found", "expected", title=f"{found.pipeline} {found.partition}", title_justify="left")
    for check in found.checks:
        table.add_row(check.rule, "passed" if check.passed else "[red]failed[/red]", check.found, check.expected)
    console.print(table)
    sides = [("challenger", found.challenger), *([("champion", found.champion)] if found.champion else [])]
    lines = {
        "verdict": f"{found.outcome}: {found.reasons}",
        **{name: _metrics(judged) for name, judged in sides},
        "rows": f"{found.challenger.rows:,}, the same for both ({found.challenger.rows_digest})",
        "data": f"training set {found.training_digest}" + (", degraded" if found.degraded else ""),
        "rules": f"declaration {found.pipeline_digest}",
        "identity": found.id + (f"; {earlier} earlier of this night" if earlier else ""),
    }
    for name, line in lines.items():
        console.print(f"{name:<11} {line}", highlight=False, markup=False, soft_wrap=True)


def _metrics(judged: Judged) -> str:
    values = (f"{name} {value:.4f}" for name, value in judged.metrics.items() if value is not None)
    return f"version {judged.version} of {judged.as_of}: {', '.join(values) or 'could not be scored'}"


def _brief(verdict: Verdict) -> dict[str, Any]:
    return {
        "id": verdict.id,
        "partition": verdict.partition,
        "outcome": verdict.outcome,
        "version": verdict.challenger.version,
        "reasons": verdict.reasons,
    }


def _verdict_row(verdict: Verdict) -> tuple[str, ...]:
    return str(verdict.partition), f"verdict: {verdict.outcome}", f"v{verdict.challenger.version}", "", verdict.reasons


def _champion_row(champion: Champion) -> tuple[str, ...]:
    by = f"by {champion.actor}" if champion.verdict else f"by {champion.actor}: {champion.reason}"
    return str(champion.effective_from), "[bold]champion[/bold]", f"v{champion.version}", str(champion.epoch), by


def _pin_row(pin: Pin) -> tuple[str, ...]:
    return "", "[bold]pinned[/bold]" if pin.pinned else "[bold]unpinned[/bold]", "", "", str(pin)
