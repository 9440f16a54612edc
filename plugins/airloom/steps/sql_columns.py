"""Which columns of its tables the columns of a query are computed from."""

from __future__ import annotations

from functools import cache


@cache
def columns_read(sql: str) -> dict[str, list[tuple[str, str]]]:
    """Return, by column of a query, the columns that it is computed from, each with its table.

    Args:
        sql: The query, in DuckDB's dialect.

    Returns:
        Nothing for a query that cannot be followed: no step fails for its lineage. A column of several tables is
        followed where the query names it with its table.
    """
    from sqlglot import exp
    from sqlglot.errors import SqlglotError
    from sqlglot.lineage import lineage

    try:
        found = lineage(None, sql, {}, dialect="duckdb")
    except SqlglotError:
        return {}
    nodes = found if isinstance(found, dict) else {found.name: found}
    return {
        name: sorted(
            {
                (leaf.expression.name, leaf.name.rpartition(".")[2])
                for leaf in node.walk()
                if isinstance(leaf.expression, exp.Table)
            }
        )
        for name, node in nodes.items()
    }
