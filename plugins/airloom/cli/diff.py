"""`airloom diff`: what changed between two versions of a pipeline's model."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated

import typer
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from airloom.cli.console import chosen, console, print_lines
from airloom.cli.diff_rows import Row, rows_of
from airloom.core.difference import Difference, Side, Topic
from airloom.core.settings import Settings
from airloom.steps.diff import diff as difference_between

_STYLES = {"better": "green", "worse": "red"}
_COMMIT = re.compile(r"[0-9a-f]{40}")


def diff(
    pipeline: Annotated[str, typer.Argument(help="Name of the pipeline.")],
    old: Annotated[int, typer.Argument(min=1, help="The version before.")],
    new: Annotated[int, typer.Argument(min=1, help="The version after.")],
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Show what changed between two versions, champions or not; Airflow need not run."""
    settings = Settings.from_environment()
    [declared] = chosen(settings, pipeline)
    if as_json:
        typer.echo(difference_between(declared, old, new, settings).model_dump_json(indent=2))
        return
    with console.status("scoring both versions on the same rows"):
        found = difference_between(declared, old, new, settings)
    _print(found)


def _print(found: Difference) -> None:
    print_lines((f"version {side.version}", _described(side)) for side in (found.old, found.new))
    table = _table(found)
    if table.row_count:
        console.print(table, highlight=False)
    print_lines(_notes(found))


def _table(found: Difference) -> Table:
    """Return one section a topic that has anything to show."""
    headers = {"": None, f"version {found.old.version}": 24, f"version {found.new.version}": 24, "change": 24}
    table = Table()
    for header, width in headers.items():
        table.add_column(header, overflow="fold", max_width=width)
    for topic in found.topics:
        rows = rows_of(topic)
        if rows:
            table.add_row(f"[bold]{topic.name}[/bold]")
        for row in rows:
            table.add_row(Padding(Text(row.name), (0, 0, 0, 2)), *_cells(row), end_section=row is rows[-1])
    return table


def _cells(row: Row) -> list[Text]:
    style = next((style for word, style in _STYLES.items() if word in row.change), "")
    return [Text(row.old), Text(row.new), Text(row.change, style)]


def _described(side: Side) -> str:
    reigns = ", ".join(f"from {reign.effective_from} (epoch {reign.epoch})" for reign in side.reigns)
    return f"{side.candidate}, as of {side.as_of}; " + (f"champion {reigns}" if reigns else "never champion")


def _notes(found: Difference) -> Iterator[tuple[str, str]]:
    """Yield what the table does not say: on what it rests, what is the same, and what could not be compared."""
    for topic in found.topics:
        if topic.note:
            yield topic.name, topic.note
    same = [_same(topic) for topic in found.topics if topic.same]
    yield "the same", ", ".join(same) or "nothing"
    problems: dict[str, list[str]] = {}
    for topic in found.topics:
        if topic.problem:
            problems.setdefault(topic.problem, []).append(topic.name)
    for problem, topics in problems.items():
        yield "not known", f"{', '.join(topics)}: {problem}"
    commits = [str(value) for value in _commits(found.topics)]
    if len(commits) == 2 and all(map(_COMMIT.fullmatch, commits)):
        yield "see also", f"git diff {commits[0][:12]} {commits[1][:12]} -- include/{found.pipeline}"


def _same(topic: Topic) -> str:
    return f"{topic.name} ({topic.same}" + (f" of {topic.same + len(topic.changes)})" if topic.changes else ")")


def _commits(topics: tuple[Topic, ...]) -> Iterator[object]:
    for topic in topics:
        for change in topic.changes:
            if (topic.name, change.name) == ("code", "commit"):
                yield from (change.old, change.new)
