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
    assert columns_read(sql)[column] == [("t", each) for each in read]


@pytest.mark.parametrize(
    ("sql", "column", "read"),
    [
        ("SELECT p.a + c.b AS x FROM parcels p JOIN couriers AS c USING (k)", "x", ["couriers.b", "parcels.a"]),
        ("SELECT parcels.a FROM parcels LEFT JOIN couriers ON parcels.k = couriers.k", "a", ["parcels.a"]),
        (
            "WITH w AS (SELECT k, max(b) AS m FROM couriers GROUP BY k) "
            "SELECT w.m / p.a AS x FROM parcels p LEFT JOIN w ON w.k = p.k",
            "x",
            ["couriers.b", "parcels.a"],
        ),
        ("SELECT a FROM parcels UNION ALL SELECT b FROM couriers", "a", ["couriers.b", "parcels.a"]),
        ("SELECT a FROM parcels JOIN couriers USING (k)", "a", []),
    ],
)
def test_a_column_is_followed_to_each_of_several_tables(sql, column, read):
    assert [".".join(each) for each in columns_read(sql)[column]] == read


def test_a_query_that_cannot_be_followed_has_no_lineage_and_no_error():
    assert columns_read("SELECT FROM WHERE (") == {}
