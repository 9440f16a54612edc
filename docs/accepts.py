"""Writes docs/accepts.md, *What Airloom accepts*, from the code's own tables: `python docs/accepts.py`.

A section is a function that returns its text; `SECTIONS` is their order on the page.
"""

# ruff: noqa: E501 - the page has lines of its own

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from airloom.core.column_types import NAMES
from airloom.core.declaration import find_pipeline
from airloom.core.errors import AirloomError, DataError
from airloom.core.pipeline import Label
from airloom.core.reserved import COMPARED, OF_OLDER_TABLES, PREFIX, collisions, is_reserved
from airloom.core.wording import lasting
from airloom.steps.entity_keys import require_entity_keys, require_row_keys
from airloom.steps.feature_query import stamped
from airloom.steps.label_values import label_codes
from airloom.steps.outputs import predicted
from airloom.steps.times import DAY_LONG, floored
from airloom.stores.lake_types import RULES, named_type, type_name
from airloom.stores.point_in_time import AS_OF, KNOWN_AT
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
    return f"""## Frames

For each table a source returns a DataFrame of pandas or polars, a table, batch or reader of Arrow, a relation of DuckDB, a list of
dictionaries, or an iterator of frames, which are put together: a column may be missing in some of them, and has one type. The
same rows are the same day, whatever holds them.

## Types

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


def times() -> str:
    """Return the section of the times of rows."""
    moments = {"1,999 ns after 1970 began": 1999, "1 ns before": -1}
    rows, _ = floored(pa.table({"at": pa.array(list(moments.values()), pa.timestamp("ns", "UTC"))}))
    whole = rows.column("at").cast(pa.timestamp("us", "UTC")).cast(pa.int64()).to_pylist()
    kept = ", ".join(f"{said} is {microsecond} µs" for said, microsecond in zip(moments, whole, strict=True))
    return f"""## Times

`time` and `known_at` of a table are timestamps with a time zone.

| a row's time | what happens |
| --- | --- |
| null, in `time` or `known_at` | the row is held back by the audit, up to `quarantine.max_share`; above it the day is blocked |
| with nanoseconds | floored to microseconds, and counted by `extract` ({kept}) |
| further than `time_within` from its day | published, and counted by `extract`; {lasting(DAY_LONG)} unless declared, in the label's table as long as `horizon` and `delay` if that is longer |
| without a time zone, or no timestamp | the day is refused in `extract` |"""


MOMENT = datetime(2024, 1, 1, tzinfo=UTC)
#: Keys of two rows, by what they are called.
KEYS: dict[str, list[Any]] = {
    "text": ["a", "b"],
    "whole numbers": [1, 2],
    "decimals without a scale": [Decimal("1"), Decimal("2")],
    "decimals with a scale": [Decimal("1.50"), Decimal("2.50")],
    "floats": [0.5, 1.5],
    "booleans": [False, True],
    "timestamps": [MOMENT, MOMENT.replace(day=2)],
    "text, one missing": ["a", None],
    "whole numbers, one missing": [1, None],
    "text, twice the same": ["a", "a"],
}


def keys() -> str:
    """Return the section of keys."""
    rows = [
        (said, of_table(values), of_view(values, "STRING"), of_view(values, "INT64")) for said, values in KEYS.items()
    ]
    return f"""## Keys

A key names a row of a day, or the entity of a feature view. What is **refused** in a table blocks its day at `publish`, unless a critical
expectation has held such rows back before; in a view it ends `compute`, with nothing of the day written. Cast the key to text in both
places then.

{table(("the key is", "`key` of a table", "a view, for a `STRING` entity", "a view, for an `INT64` entity"), rows)}

- A row of a view without a key is kept and matches nothing, offline and online; a scored row without one has null features, and `score` counts it.
- Whole numbers stay whole where some are missing, beyond 2**53 too.
- The columns of `label.key` have one type in the scored rows and in the label's table, all numbers being of one; otherwise training ends and names both.
- `airloom trace --key` compares keys as they are written, the columns of a key with commas between them."""


def of_table(values: list[Any]) -> str:
    """Return whether a table can have a key of these values."""
    return accepted(lambda: require_row_keys("t", ["key"], pa.table({"key": values})))


def of_view(values: list[Any], entity: str) -> str:
    """Return whether a view can have a key of these values, as its SQL gives them, for an entity of a Feast type."""
    return accepted(
        lambda: require_entity_keys("v", {"key": entity}, stamped(pa.table({"key": values}), MOMENT, ""), "")
    )


def accepted(tried: Callable[[], object]) -> str:
    """Return whether something is taken."""
    try:
        tried()
    except AirloomError:
        return "**refused**"
    return "taken"


#: Names of columns, by what they are.
NAMES_OF_COLUMNS: dict[str, tuple[str, ...]] = {
    "any name": ("amount", "Amount", "order id"),
    "the prefix of our columns, in whatever capitals": (f"{PREFIX}score", "Airloom_row"),
    "names that our columns have in tables of earlier versions": OF_OLDER_TABLES,
    "names that they have in predictions of earlier versions": (
        *("score", "predicted", "model_version", "pipeline_digest", "scored_at", "run_id", "pipeline"),
    ),
    "names of features' moments": (AS_OF, KNOWN_AT),
    "names of results by row": COMPARED,
}


def names() -> str:
    """Return the section of names."""
    rows = [
        (
            said,
            ", ".join(f"`{name}`" for name in columns),
            *(one(map(taken_as, columns)) for taken_as in PLACES.values()),
        )
        for said, columns in NAMES_OF_COLUMNS.items()
    ]
    return f"""## Names

Every column that Airloom adds to rows begins with `{PREFIX}`, in the lake, in predictions and in their copies in SQL, and no column of yours
does. What is **refused** is refused where the declaration names it, when that is read, and everywhere else by `extract` or `compute`,
before anything of the day is written.

{table(("", "such as", *PLACES), rows)}

- **Tables that an earlier version has begun** keep `{"`, `".join(OF_OLDER_TABLES)}` for themselves, and refuse columns of yours by these names: rename
  them in the source or the SQL, or publish them as a table of another name. Tables that begin now take them.
- **Predictions that an earlier version has begun**, and their copies in SQL, keep names without the prefix, and refuse a key or time of yours by such
  a name, until `airloom upgrade --rename-columns` ([state.md](state.md#columns-of-an-earlier-version)).
- Names of one table that differ in capitals only are refused, and so are two columns of one name.
- With several classes each has a column of its own: `{PREFIX}score_<class>`, `champion_<class>`. In SQL a name has at most 63 bytes.
- Names of tables and views have no dots."""


def as_column(name: str) -> bool:
    """Tell whether a table may have such a column."""
    return not is_reserved(name)


def as_feature(name: str) -> bool:
    """Tell whether the SQL of a view may give such a column."""
    return accepted(lambda: stamped(pa.table({name: [1]}), MOMENT, "")) == "taken"


def as_key(name: str) -> bool:
    """Tell whether the key of the scored rows may have such a column."""
    entities = EXAMPLE.score.entities
    scored = EXAMPLE.tables[entities].model_copy(update={"key": (name,)})
    return not list(collisions(EXAMPLE.model_copy(update={"tables": EXAMPLE.tables | {entities: scored}})))


def as_label(name: str) -> bool:
    """Tell whether the label may be such a column."""
    label = EXAMPLE.label.model_copy(update={"column": name})
    return not list(collisions(EXAMPLE.model_copy(update={"label": label})))


EXAMPLE = find_pipeline(Path(__file__).parents[1] / "include", "flight_delays")
PLACES: dict[str, Callable[[str], bool]] = {
    "any column of a table": as_column,
    "the result of a view's SQL": as_feature,
    "key of the scored rows": as_key,
    "label": as_label,
}


def one(answers: Iterable[bool]) -> str:
    """Return what is true of several names."""
    [answer] = set(answers)
    return "taken" if answer else "**refused**"


#: The labels of the table: how each is declared, by its head.
LABELS: dict[str, dict[str, Any]] = {
    "`binary`": {},
    '`classes: ["no", "yes"]`': {"classes": ("no", "yes")},
    '`classes: ["-1", "1"]`': {"classes": ("-1", "1")},
    '`multiclass`, `["0", "1", "2"]`': {"kind": "multiclass", "classes": ("0", "1", "2")},
    "`regression`": {"kind": "regression"},
}
#: Values that a label's column may have, by what they are called.
VALUES: dict[str, list[Any]] = {
    "0 and 1": [0, 1],
    "0.0 and 1.0": [0.0, 1.0],
    "false and true": [False, True],
    "decimals 0 and 1": [Decimal("0.00"), Decimal("1.00")],
    "-1 and 1": [-1, 1],
    "1 and 2": [1, 2],
    "0.5": [0.5],
    "text no and yes": ["no", "yes"],
    "text 0 and 1": ["0", "1"],
    "missing": [None],
    "infinite": [float("inf")],
    "2^53 + 1": [2**53 + 1],
}


def labels() -> str:
    """Return the section of labels."""
    declared = {name: Label(table="t", column="y", horizon="1d", **facts) for name, facts in LABELS.items()}
    rows = [(said, *(learned(label, values) for label in declared.values())) for said, values in VALUES.items()]
    return f"""## Labels

What a model learns from, by the values of the label's column and its declaration. Whatever is **not declared** stops a training with
counts (`label.unknown: block`), or its rows are left out and counted (`drop`). The second of two classes is the positive one.

{table(("", *declared), rows)}"""


def learned(label: Label, values: list[Any]) -> str:
    """Return the numbers that labels become."""
    codes, unknown = label_codes(label, pd.Series(values, dtype=object))
    said = [
        "not declared" if wrong else "none" if pd.isna(code) else f"{code:g}"
        for code, wrong in zip(codes, unknown, strict=True)
    ]
    return said[0] if len(set(said)) == 1 else ", ".join(said)


@dataclass(frozen=True)
class Returning:
    """A model that returns what it is told."""

    returned: Any

    def predict(self, frame: pd.DataFrame) -> Any:
        """Return it."""
        return self.returned


#: What a model may return for two rows, by what it is called: of a binary label, of three classes, and of a value.
_ONE, _THREE, _ANY = [0.25, 0.75], [[0.25, 0.25, 0.5], [0, 0, 1]], [-4.0, 17.5]
OUTPUTS: dict[str, Callable[[list[Any]], Any]] = {
    "an array": np.array,
    "a list": list,
    "float32": lambda values: np.array(values, dtype="float32"),
    "objects that are numbers": lambda values: np.array(values, dtype=object),
    "a Series or a DataFrame with the frame's index": lambda values: _pandas(values),
    "the same with another index": lambda values: _pandas(values).set_axis([1, 0]),
    "text": lambda values: np.array(values).astype(str),
    "a value too many": lambda values: [*values, values[-1]],
    "one column (rows, 1)": lambda values: (
        np.array(values)[..., :1] if np.ndim(values) > 1 else np.array(values)[:, None]
    ),
    "NaN, or nothing": lambda values: np.full(np.shape(values), np.nan),
    "infinite": lambda values: np.full(np.shape(values), np.inf),
    "-4": lambda values: np.array(values) * 0 - 4,
}


def _pandas(values: list[Any]) -> Any:
    return pd.DataFrame(values) if np.ndim(values) > 1 else pd.Series(values)


def outputs() -> str:
    """Return the section of what models return."""
    kinds = {
        "`binary`": (Label(table="t", column="y", horizon="1d"), _ONE),
        "`multiclass`": (
            Label(table="t", column="y", horizon="1d", kind="multiclass", classes=("a", "b", "c")),
            _THREE,
        ),
        "`regression`": (Label(table="t", column="y", horizon="1d", kind="regression"), _ANY),
    }
    rows = [
        (said, *(taken(label, returns(values)) for label, values in kinds.values()))
        for said, returns in OUTPUTS.items()
    ]
    return f"""## Model outputs

What `predict` of a model may return; docs/models.md says what happens otherwise. Probabilities of classes have a column for each, in
the declared order, and sum to 1 within 1e-5 in every row. Of a window that lacked classes, one column for each class that it had.

{table(("", *kinds), rows)}"""


def taken(label: Label, returned: Any) -> str:
    """Return whether predictions are taken."""
    try:
        predicted(label, Returning(returned), pd.DataFrame({"x": [1.0, 2.0]}), "It")
    except DataError:
        return "**refused**"
    return "taken"


SECTIONS: tuple[Callable[[], str], ...] = (types, names, keys, times, labels, outputs)


def page() -> str:
    """Return the whole page."""
    return "\n\n".join([HEAD, *(section() for section in SECTIONS)]) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
