import pytest

from airloom.steps.sql_columns import columns_read


@pytest.mark.parametrize(
    ("sql", "column", "read"),
    [
        ("SELECT a FROM t", "a", ["a"]),
        ("SELECT avg(a) FILTER (b >= $as_of - INTERVAL 7 DAY) AS x FROM t GROUP BY c", "x", ["a", "b"]),
        ("SELECT count(*) AS n FROM t", "n", []),
        ("SELECT last(a ORDER BY b, c) AS x FROM t", "x", ["a", "b", "c"]),
        ("WITH w AS (SELECT a + b AS s, c FROM t) SELECT c, max(s) AS x FROM w GROUP BY c", "x", ["a", "b"]),
        ("SELECT cancelled::INTEGER AS x FROM t", "x", ["cancelled"]),
        ("SELECT sum(a) OVER (PARTITION BY c ORDER BY b) AS x FROM t", "x", ["a", "b", "c"]),
    ],
)
def test_a_column_is_followed_to_the_table(sql, column, read):
    assert columns_read(sql)[column] == read


def test_a_query_that_cannot_be_followed_has_no_lineage_and_no_error():
    assert columns_read("SELECT FROM WHERE (") == {}
