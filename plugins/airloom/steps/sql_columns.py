"""Which columns of a table the columns of a query are computed from."""

from __future__ import annotations

from functools import cache


@cache
def columns_read(sql: str) -> dict[str, list[str]]:
    """Return, by column of a query, the columns of the one table that it is computed from.

    Args:
        sql: The query, in DuckDB's dialect.

    Returns:
        Nothing for a query that cannot be followed: a feature view does not fail for its lineage.
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
        name: sorted({leaf.name.rpartition(".")[2] for leaf in node.walk() if isinstance(leaf.expression, exp.Table)})
        for name, node in nodes.items()
    }
