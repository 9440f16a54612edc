"""`airloom reproduce`: a version made again from the lake as it was, compared with what is recorded of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated

import typer
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from airloom.cli.console import chosen, console, print_lines
from airloom.cli.diff_rows import shown
from airloom.core.difference import Topic, Value
from airloom.core.reproduction import CAUSES, Reproduction, Result
from airloom.core.settings import Settings
from airloom.steps.reproduce import reproduce as made_again

#: The exit code when something differs or could not be compared.
DIFFERENT = 4


def reproduce(
    pipeline: Annotated[str, typer.Argument(help="Name of the pipeline.")],
    version: Annotated[int, typer.Argument(min=1, help="The version of its model.")],
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Train a version again from the lake as it was, and compare; nothing is registered. Airflow need not run."""
    settings = Settings.from_environment()
    [declared] = chosen(settings, pipeline)
    if as_json:
        found = made_again(declared, version, settings)
        typer.echo(found.model_dump_json(indent=2))
    else:
        with console.status("looking up how it was trained") as status:
            found = made_again(declared, version, settings, status.update)
        _print(found)
    if not found.identical:
        raise typer.Exit(DIFFERENT)


def _print(found: Reproduction) -> None:
    print_lines(_before(found))
    console.print(_table(found), highlight=False)
    print_lines(_after(found))


def _before(found: Reproduction) -> Iterator[tuple[str, str]]:
    """Yield what to know before the results: whether anything but the lake is as it was."""
    yield "version", f"{found.version} of {found.pipeline}: {found.candidate}, as of {found.as_of}"
    yield "lake", "; ".join(_commits(found.commits))
    changed = [topic for topic in found.surroundings if topic.changes or topic.problem]
    for topic in changed:
        yield topic.name, "; ".join(_changes(topic))
    if any(topic.name in CAUSES for topic in changed):
        yield "so", "this was computed with what is here now, from the recorded lake, declaration and seed"
    elif not changed:
        yield "all else", "as recorded: " + ", ".join(topic.name for topic in found.surroundings)


def _commits(commits: Mapping[str, int]) -> Iterator[str]:
    """Yield one part a commit, for most tables have as many."""
    for commit in dict.fromkeys(commits.values()):
        yield f"{', '.join(table for table, at in commits.items() if at == commit)} at commit {commit}"


def _changes(topic: Topic) -> Iterator[str]:
    for change in topic.changes:
        yield f"{change.name} was {shown(change.old)}, is {shown(change.new)}"
    if topic.note:
        yield topic.note
    if topic.problem:
        yield f"not known: {topic.problem}"


def _table(found: Reproduction) -> Table:
    """Return one section a result: what came of it, what differs, and then what is the same."""
    table = Table("", "recorded", "now", "")
    for result in found.results:
        table.add_row(f"[bold]{result.name}[/bold]", "", "", _outcome(result))
        for change in (*result.changes, *result.alike):
            name = f"{change.name} of {change.day}" if change.day else change.name
            differs = Text("" if change in result.alike else "differs", "red")
            table.add_row(Padding(name, (0, 0, 0, 2)), _exact(change.old), _exact(change.new), differs)
        table.add_section()
    return table


def _outcome(result: Result) -> Text:
    if result.problem:
        return Text("not compared", "red")
    if result.changes:
        return Text(f"{result.same:,} of {result.same + len(result.changes):,} the same", "red")
    return Text("identical", "green")


def _exact(value: Value) -> str:
    """Return a value with all its digits: what differs in the last of them differs."""
    return repr(value) if isinstance(value, float) else shown(value)


def _after(found: Reproduction) -> Iterator[tuple[str, str]]:
    """Yield what the table does not say, and what all of it adds up to."""
    for result in found.results:
        if told := result.problem or result.note:
            yield result.name, told
    compared = ", ".join(result.name for result in found.results if not result.problem)
    if found.identical:
        yield "identical", f"{compared}; trained in {found.seconds:.1f} s"
        return
    differing = ", ".join(result.name for result in found.results if result.changes)
    yield "not identical", f"differs: {differing}" if differing else "nothing that could be compared differs"
    for why in found.why:
        yield "why", why
