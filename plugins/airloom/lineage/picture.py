"""A walk of the graph as a picture: one box a dataset, one column a step."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from pathlib import Path

from airloom.lineage.graph import Graph
from airloom.lineage.walk import Branch
from airloom.lineage.wording import details, maker, subject

_WIDTH, _HEIGHT, _ACROSS, _DOWN, _MARGIN = 250, 46, 330, 66, 20
_LINE = 44
_STYLE = """
text { font: 12px system-ui, sans-serif; fill: #1c2b33 } .what { fill: #5b6b73; font-size: 11px }
rect { fill: #eef3f6; stroke: #9fb3bd } .root rect { fill: #d7e8f5; stroke: #3b7ea8 }
path { fill: none; stroke: #9fb3bd }
"""


def write_picture(graph: Graph, root: Branch, file: Path) -> None:
    """Write a walk as SVG, or as a page around it when the file is called .html.

    Args:
        graph: The graph.
        root: The walk.
        file: Where to write.
    """
    svg = draw(graph, root)
    page = f"<!doctype html><meta charset='utf-8'><title>{escape(subject(root))}</title>{svg}"
    file.write_text(page if file.suffix == ".html" else svg, encoding="utf-8")


def draw(graph: Graph, root: Branch) -> str:
    """Draw a walk as SVG.

    Args:
        graph: The graph.
        root: The walk; its start stands on the left.
    """
    columns = _columns(root)
    places = dict(_places(columns))
    wide = max(x for x, _ in places.values()) + _WIDTH + _MARGIN
    high = max(y for _, y in places.values()) + _HEIGHT + _MARGIN
    lines = [_path(places[one], places[other]) for one, other in sorted(_edges(root))]
    boxes = [_box(graph, branch, places[branch.name], branch is root) for branch in _first(root).values()]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{wide}" height="{high}" viewBox="0 0 {wide} {high}">'
        f"<style>{_STYLE}</style>{''.join(lines)}{''.join(boxes)}</svg>\n"
    )


def _first(root: Branch) -> dict[str, Branch]:
    """Return the fullest branch of every dataset."""
    found: dict[str, Branch] = {}
    for branch in _walk(root):
        if branch.name not in found or len(branch.found) > len(found[branch.name].found):
            found[branch.name] = branch
    return found


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
    more = "\n".join([subject(branch), maker(branch), *details(graph, branch)])
    kind = "root" if is_root else "other"
    return (
        f'<g class="{kind}"><title>{escape(more)}</title>'
        f'<rect x="{x}" y="{y}" width="{_WIDTH}" height="{_HEIGHT}" rx="5"/>'
        f'<text x="{x + 10}" y="{y + 19}">{escape(_cut(subject(branch)))}</text>'
        f'<text class="what" x="{x + 10}" y="{y + 36}">{escape(_cut(maker(branch)))}</text></g>'
    )


def _cut(text: str) -> str:
    return text if len(text) <= _LINE else f"{text[: _LINE - 1]}…"
