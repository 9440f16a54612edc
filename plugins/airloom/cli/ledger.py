"""`airloom ledger`: who was champion when, and what else happened to every night."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from airloom.cli.console import chosen, console
from airloom.core.errors import UsageError
from airloom.core.partitions import parse_partition
from airloom.core.settings import Settings
from airloom.core.verdict import Verdict
from airloom.stores.ledger import Champion, Ledger, champion_then
from airloom.stores.ledger_mark import require_ledger
from airloom.stores.notes import Note, Notes
from airloom.stores.pins import Pin, Pins

_Decision = tuple[datetime, Verdict]


def ledger(
    pipeline: Annotated[str, typer.Argument(help="Name of the pipeline.")],
    as_of: Annotated[str | None, typer.Option(help="Only the champion as of a partition, YYYY-MM-DD.")] = None,
    at: Annotated[str | None, typer.Option(help="Only the champion at a moment, 2026-01-31T02:00Z.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Show every verdict, champion, pin and note, in the order in which they were decided, or who was champion when."""
    settings = Settings.from_environment()
    [declared] = chosen(settings, pipeline)
    require_ledger(declared.name, settings)
    book = Ledger(settings.state_url)
    if as_of is not None or at is not None:
        _print_champion(_champion(book, declared.name, as_of, at), f"as of {as_of}" if as_of else f"at {at}", as_json)
        return
    champions, decisions = book.history(declared.name), book.decisions(declared.name)
    pins, notes = Pins(settings.state_url).history(declared.name), Notes(settings.state_url).of(declared.name)
    if as_json:
        facts = {
            "champions": [vars(each) for each in champions],
            "verdicts": [{"decided_at": at, **_brief(verdict)} for at, verdict in decisions],
            "pins": [vars(each) for each in pins],
            "notes": [vars(each) for each in notes],
        }
        typer.echo(json.dumps(facts, indent=2, default=str))
        return
    _print(declared.name, champions, decisions, pins, notes)


def _champion(book: Ledger, pipeline: str, as_of: str | None, at: str | None) -> Champion | None:
    if as_of is None:
        return book.champion_at(pipeline, _moment(at or ""))
    if at is not None:
        raise UsageError(
            "--as-of and --at ask two different questions.",
            found=f"--as-of {as_of} --at {at}",
            do="ask whom scoring a day uses by --as-of, or whom production used at a moment by --at",
        )
    return book.champion_as_of(pipeline, parse_partition(as_of))


def _moment(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(
            "This is not a moment.", found=repr(text), expected="a date and a time with its zone, 2026-01-31T02:00Z"
        ) from None


def _print_champion(champion: Champion | None, when: str, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(vars(champion) if champion else None, indent=2, default=str))
        return
    lines = {"champion": f"none {when}"}
    if champion:
        lines = {
            "champion": f"version {champion.version} {when}",
            "since": f"{champion.effective_from} (epoch {champion.epoch})",
            "decided": f"{champion.decided_at:%Y-%m-%d %H:%M:%S} UTC by {champion.actor}",
            "why": champion.reason,
        }
    for name, line in lines.items():
        console.print(f"{name:<9} {line}", highlight=False, markup=False, soft_wrap=True)


def _print(
    pipeline: str,
    champions: Sequence[Champion],
    decisions: Sequence[_Decision],
    pins: Sequence[Pin],
    notes: Sequence[Note],
) -> None:
    table = Table("decided", "day", "what", "version", "epoch", "why", title=pipeline, title_justify="left")
    versions = {verdict.id: f"v{verdict.challenger.version}" for _, verdict in decisions}
    rows = [
        *((at, _verdict_row(verdict)) for at, verdict in decisions),
        *((each.decided_at, _champion_row(each)) for each in champions),
        *((each.decided_at, _pin_row(each, champion_then(champions, each.decided_at))) for each in pins),
        *((each.decided_at, _note_row(each, versions)) for each in notes),
    ]
    for at, (*cells, why) in sorted(rows, key=lambda entry: entry[0]):
        # What people have written is no markup.
        table.add_row(f"{at:%Y-%m-%d %H:%M:%S}", *cells, escape(why))
    console.print(table)


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


def _pin_row(pin: Pin, held: Champion | None) -> tuple[str, ...]:
    version, epoch = (f"v{held.version}", str(held.epoch)) if held else ("", "")
    return "", "[bold]pinned[/bold]" if pin.pinned else "[bold]unpinned[/bold]", version, epoch, str(pin)


def _note_row(note: Note, versions: dict[str, str]) -> tuple[str, ...]:
    words = note.reason.removeprefix(f"{note.kind}: ")
    by_a_run = note.kind in ("failed", "superseded")
    why = f"by {note.actor}: {words}" if by_a_run else words
    version = f"v{note.subject}" if note.kind in ("worse", "recovered") else versions.get(note.subject, "")
    if note.kind in ("withdrawing", "withdrawn", "republished"):
        why = f"{note.subject} by {note.actor}" + (f": {words}" if words and note.kind != "republished" else "")
    return str(note.partition), note.kind, version, "", why
