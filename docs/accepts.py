"""Writes docs/accepts.md, *What Airloom accepts*, from the code's own tables: `python docs/accepts.py`.

A section is a function that returns its text; `SECTIONS` is their order on the page.
"""

# ruff: noqa: E501 - the page has lines of its own

from collections.abc import Callable
from pathlib import Path

from airloom.core.column_types import NAMES
from airloom.stores.lake_types import RULES, named_type, type_name
from airloom.stores.widening import wider_type

PAGE = Path(__file__).with_name("accepts.md")
HEAD = "# What Airloom accepts\n\nWritten from the code's own tables by `python docs/accepts.py`."
#: The types that the table of widening shows.
SHOWN = ("int32", "int64", "float32", "float64", "decimal(18,2)", "decimal(20,4)", "bool", "text", "date", "timestamp")


def types() -> str:
    """Return the section of types, and of what becomes of them from day to day."""
    kept = {"same": "the same", "none": "no type yet", None: "**refused**"}
    rules = [(rule.source, kept.get(rule.kept, rule.kept), rule.note) for rule in RULES]
    widening = [(f"**{one}**", *(cell(one, other) for other in SHOWN)) for one in SHOWN]
    return f"""## Types

A value is stored as the source returned it, or its day is refused in `extract`, with table, column and type, before anything of it
is written. Missing values (null, `None`, NaN, NaT, NA) are null.

{table(("the source returns", "the lake keeps", "note"), rules)}

**From day to day.** The type of the first day is no law. A column keeps its type as long as that holds the day's values exactly; else
it widens to the type that holds both, for all days at once, and the log and the commit say so. What is published has the same
version as before. A column whose published values are all missing takes whatever type comes. The first column is what is published,
the others what a day has:

{table(("", *SHOWN), widening)}

- Whole numbers with a missing one, which pandas has as floats, and floats without a fraction stay whole numbers where the column is.
- Whole numbers become `float64` up to 2**53, on both sides; beyond that the day is refused.
- What is refused is a real change, such as text for numbers; the error names both days and types, and the day is blocked until it
  is corrected. A table's only day may be published again as anything.
- A new column is added, and null on the days before. A column that is gone is null from then on. If a feature view, the label or
  `train.inputs` read it, its day is refused and `airloom apply` says what reads it.

**Declared types.** A table of `pipeline.yaml` may state types, and then no day decides: `columns: {{amount: decimal(18,2)}}`, with
{", ".join(f"`{name}`" for name in NAMES)}
and `decimal(digits,digits after the point)`. A float becomes the decimal that it is written as. A value that the declared type does not hold refuses the day."""


def cell(published: str, found: str) -> str:
    """Return the type that a column has after a day of another type, if any."""
    wider = named_type(published) if published == found else wider_type(named_type(published), named_type(found))
    return "refused" if wider is None else type_name(wider)


def table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """Return a table in Markdown."""
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


SECTIONS: tuple[Callable[[], str], ...] = (types,)


def page() -> str:
    """Return the whole page."""
    return "\n\n".join([HEAD, *(section() for section in SECTIONS)]) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
