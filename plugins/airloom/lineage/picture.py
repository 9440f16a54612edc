"""A walk of the graph as a picture: one box a dataset, one column a step."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from pathlib import Path

from airloom.core.errors import UsageError
from airloom.lineage.events import Version
from airloom.lineage.graph import Graph, Made
from airloom.lineage.walk import Branch
from airloom.lineage.wording import dataset, details, maker, versions

_WIDTH, _HEIGHT, _ACROSS, _DOWN, _MARGIN = 250, 62, 310, 78, 20
_LINE = 40
_STYLE = """
text { font: 11px system-ui, sans-serif; fill: #5b6b73 } .name { font-size: 13px; font-weight: 600; fill: #1c2b33 }
rect { fill: #eef3f6; stroke: #9fb3bd } .root rect { fill: #d7e8f5; stroke: #3b7ea8 }
path { fill: none; stroke: #9fb3bd }
"""


def write_picture(graph: Graph, root: Branch, file: Path, backwards: bool) -> None:
    """Write a walk as SVG, or as a page around it when the file is called .html.

    Args:
        graph: The graph.
        root: The walk.
        file: Where to write.
        backwards: Whether the walk led back to what it was made of.

    Raises:
        UsageError: The file cannot be written.
    """
    svg = draw(graph, root, backwards)
    page = f"<!doctype html><meta charset='utf-8'><title>{escape(_title(root))}</title>{svg}"
    try:
        file.write_text(page if file.suffix == ".html" else svg, encoding="utf-8")
    except OSError as error:
        raise UsageError(
            "The picture cannot be written.",
            where=str(file),
            found=error.strerror,
            expected="a file in a folder that is there, and that may be written to",
        ) from None


def draw(graph: Graph, root: Branch, backwards: bool) -> str:
    """Draw a walk as SVG, data flowing from left to right.

    Args:
        graph: The graph.
        root: The walk.
        backwards: Whether the walk led back to what it was made of: its start stands on the right then.
    """
    columns = _columns(root)[:: -1 if backwards else 1]
    places = dict(_places(columns))
    wide = max(x for x, _ in places.values()) + _WIDTH + _MARGIN
    high = max(y for _, y in places.values()) + _HEIGHT + _MARGIN
    ends = [(places[one], places[other])[:: -1 if backwards else 1] for one, other in sorted(_edges(root))]
    lines = [_path(start, end) for start, end in ends]
    boxes = [_box(graph, branch, places[name], name == root.name) for name, branch in _boxes(root).items()]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{wide}" height="{high}" viewBox="0 0 {wide} {high}">'
        f"<style>{_STYLE}</style>{''.join(lines)}{''.join(boxes)}</svg>\n"
    )


def _boxes(root: Branch) -> dict[str, Branch]:
    """Return every dataset with all of its versions, wherever in the walk they stand."""
    found: dict[str, dict[Version, Made | None]] = {}
    for branch in _walk(root):
        found.setdefault(branch.name, {}).update(branch.found)
    return {
        name: Branch(name, tuple((version, each[version]) for version in sorted(each))) for name, each in found.items()
    }


def _walk(branch: Branch) -> Iterator[Branch]:
    yield branch
    for each in branch.branches:
        yield from _walk(each)


def _edges(root: Branch) -> set[tuple[str, str]]:
    return {(branch.name, each.name) for branch in _walk(root) for each in branch.branches if branch.name != each.name}


def _columns(root: Branch) -> list[list[str]]:
    """Put every dataset one column right of the last that leads to it."""
    depths = {root.name: 0}
    edges = sorted(_edges(root))
    for _ in range(len(edges)):
        for one, other in edges:
            if one in depths:
                depths[other] = min(max(depths.get(other, 0), depths[one] + 1), len(edges))
    columns: list[list[str]] = [[] for _ in range(max(depths.values()) + 1)]
    for name, depth in sorted(depths.items()):
        columns[depth].append(name)
    return [column for column in columns if column]


def _places(columns: list[list[str]]) -> Iterator[tuple[str, tuple[int, int]]]:
    tallest = max(map(len, columns))
    for across, column in enumerate(columns):
        top = _MARGIN + (tallest - len(column)) * _DOWN // 2
        for down, name in enumerate(column):
            yield name, (_MARGIN + across * _ACROSS, top + down * _DOWN)


def _path(start: tuple[int, int], end: tuple[int, int]) -> str:
    x1, y1, x2, y2 = start[0] + _WIDTH, start[1] + _HEIGHT // 2, end[0], end[1] + _HEIGHT // 2
    half = (x1 + x2) // 2
    return f'<path d="M{x1} {y1} C{half} {y1} {half} {y2} {x2} {y2}"/>'


def _box(graph: Graph, branch: Branch, place: tuple[int, int], is_root: bool) -> str:
    x, y = place
    more = "\n".join([_title(branch), maker(branch), *details(graph, branch)])
    kind = "root" if is_root else "other"
    lines = zip(("name", "what", "what"), (dataset(branch), versions(branch), maker(branch)), (18, 35, 51), strict=True)
    texts = (
        f'<text class="{style}" x="{x + 10}" y="{y + down}">{escape(_cut(text))}</text>' for style, text, down in lines
    )
    return (
        f'<g class="{kind}"><title>{escape(more)}</title>'
        f'<rect x="{x}" y="{y}" width="{_WIDTH}" height="{_HEIGHT}" rx="5"/>{"".join(texts)}</g>'
    )


def _title(branch: Branch) -> str:
    return f"{dataset(branch)} {versions(branch)}"


def _cut(text: str) -> str:
    return text if len(text) <= _LINE else f"{text[: _LINE - 1]}…"
