"""Reads the SQL of a declaration, and refuses what is not a function of its tables and parameters alone."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from airloom.core.errors import DeclarationError

if TYPE_CHECKING:
    from duckdb import Statement

#: Keywords that read the clock. DuckDB serialises them as columns without a table.
_CLOCKS = frozenset({"current_date", "current_time", "current_timestamp", "localtime", "localtimestamp"})
#: Aggregates whose result depends on the order in which they see the rows, which DuckDB calls CONSISTENT all the same.
#: `arg_max(value, by)` is not one of them: its second argument states the order.
_ORDERED = frozenset(
    {
        *("any_value", "arbitrary", "first", "last", "mode"),
        *("array_agg", "group_concat", "list", "listagg", "string_agg", "variant_group_array", "variant_group_object"),
        *("approx_quantile", "approx_top_k"),
    }
)
#: Consistent in DuckDB's list, and yet a sample.
_SAMPLES = frozenset({"reservoir_quantile"})
#: Table functions that read nothing but their arguments.
_GENERATORS = frozenset({"generate_series", "json_each", "json_tree", "range", "repeat", "repeat_row", "unnest"})

_ADVICE = "name the moment `$as_of` where the time is meant, and what depends on the order of rows with an ORDER BY"


def read_query(sql: str, subject: str, where: str) -> Statement:
    """Parse one query and make sure that it gives the same for the same tables and parameters.

    Whatever `duckdb_functions()` does not call CONSISTENT is refused, and so are the keywords for the time, samples,
    and what depends on the order of rows without stating it: aggregates such as `first`, window functions, LIMIT,
    DISTINCT ON, positional joins.

    Args:
        sql: The query.
        subject: What it computes, for an error.
        where: Its file, for an error.

    Returns:
        The statement.

    Raises:
        DeclarationError: The SQL cannot be parsed, is not one query, or may give other values the next time.
    """
    import duckdb

    try:
        statements = duckdb.extract_statements(sql)
    except duckdb.Error as error:
        raise DeclarationError(
            f"The SQL of {subject} cannot be parsed.", where=where, found=str(error).splitlines()[0]
        ) from None
    if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
        raise DeclarationError(
            f"The SQL of {subject} is not one query.",
            where=where,
            found=f"{len(statements)} statements",
            expected="one SELECT",
        )
    if problems := _problems(sql):
        raise DeclarationError(
            f"The SQL of {subject} may give other values when the same day is computed again.",
            where=where,
            found=", ".join(problems),
            expected="a function of its tables and parameters",
            do=_ADVICE,
        )
    return statements[0]


@cache
def _problems(sql: str) -> tuple[str, ...]:
    """Name what keeps a query from being a function of its tables, each once."""
    import duckdb

    with duckdb.connect(config={"threads": 1}) as engine:
        [[serialised]] = engine.execute("SELECT json_serialize_sql(?)", [sql]).fetchall()
    tree = json.loads(serialised)
    if tree["error"]:
        return (f"a query that cannot be examined: {tree['error_message']}",)
    return tuple(dict.fromkeys(problem for node in _nodes(tree) for problem in _of_node(node)))


def _of_node(node: Mapping[str, Any]) -> Iterator[str]:
    kind = node.get("class") or node.get("type")
    name = str(node.get("function_name") or "").lower()
    if kind == "COLUMN_REF" and len(node["column_names"]) == 1 and node["column_names"][0].lower() in _CLOCKS:
        yield node["column_names"][0]
    elif kind == "TABLE_FUNCTION":
        source = node["function"]["function_name"].lower()
        if source not in _GENERATORS:
            yield f"{source}()"
    elif kind == "FUNCTION":
        yield from _of_call(name, node, ordered=_states_order(node["order_bys"]["orders"]))
    elif kind == "WINDOW":
        ordered = _states_order([*node["orders"], *node["arg_orders"]])
        yield from _of_call(name, node, ordered)
        by_row = any(node[end].endswith(("_ROWS", "_GROUPS")) for end in ("start", "end"))
        if not ordered and (node["type"] != "WINDOW_AGGREGATE" or by_row):
            yield f"{name}() OVER without ORDER BY"
    if node.get("sample"):
        yield "a sample"
    if node.get("ref_type") == "POSITIONAL":
        yield "POSITIONAL JOIN"
    yield from _of_modifiers(node.get("modifiers") or ())


def _of_call(name: str, node: Mapping[str, Any], ordered: bool) -> Iterator[str]:
    if name in _ORDERED and not ordered:
        yield f"{name}() without ORDER BY"
    # With one argument, age is the time until the current date.
    if name in _SAMPLES or not _is_consistent(name) or (name == "age" and len(node["arguments"]) == 1):
        yield f"{name}()"


def _of_modifiers(modifiers: Any) -> Iterator[str]:
    orders = [order for each in modifiers for order in each.get("orders", ())]
    # ORDER BY 1 names the first column.
    if _states_order(orders) or any(each["expression"]["class"] == "CONSTANT" for each in orders):
        return
    for each in modifiers:
        if each["type"] in ("LIMIT_MODIFIER", "LIMIT_PERCENT_MODIFIER"):
            yield "LIMIT without ORDER BY"
        elif each["type"] == "DISTINCT_MODIFIER" and each["distinct_on_targets"]:
            yield "DISTINCT ON without ORDER BY"


def _states_order(orders: Any) -> bool:
    """Tell whether rows are ordered by something that they have: a constant orders nothing."""
    return any(node.get("class") in ("COLUMN_REF", "STAR", "POSITIONAL_REFERENCE") for node in _nodes(orders))


def _nodes(tree: Any) -> Iterator[Mapping[str, Any]]:
    """Yield every object of a document, however deep."""
    if isinstance(tree, dict):
        yield tree
        tree = list(tree.values())
    if isinstance(tree, list):
        for each in tree:
            yield from _nodes(each)


@cache
def _is_consistent(name: str) -> bool:
    """Tell whether DuckDB calls every function of a name consistent; a macro is what its definition is."""
    stabilities, macros = _functions().get(name, (set(), []))
    return stabilities <= {"CONSISTENT"} and not any(_problems(f"SELECT {each}") for each in macros)


@cache
def _functions() -> dict[str, tuple[set[str], list[str]]]:
    """Return DuckDB's functions by name: their stabilities, and the definitions of its macros."""
    import duckdb

    functions: dict[str, tuple[set[str], list[str]]] = {}
    query = """
        SELECT function_name, stability, macro_definition FROM duckdb_functions()
        WHERE function_type NOT IN ('pragma', 'table', 'table_macro')
    """
    with duckdb.connect(config={"threads": 1}) as engine:
        for name, stability, macro in engine.execute(query).fetchall():
            stabilities, macros = functions.setdefault(name, (set(), []))
            if stability:
                stabilities.add(stability)
            if macro:
                macros.append(macro)
    return functions
