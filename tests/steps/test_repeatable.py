import shutil
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from airloom.core.declaration import find_pipeline
from airloom.core.errors import DeclarationError
from airloom.launcher.features import apply_pipeline, differing_features
from airloom.steps.feature_query import run_query
from airloom.steps.repeatable import read_query
from tests.worlds.installation import PROJECT, project_at
from tests.worlds.late_labels.days import PROJECT as LATE

ROWS = pa.table(
    {"k": ["a", "a", "b", "b"], "x": [1, 2, 3, 4], "seen": pa.array([1, 2, 3, 4], pa.timestamp("us", "UTC"))}
)
REFUSED = {
    # the clock
    "SELECT k, now() AS v FROM t": "now()",
    "SELECT k, NOW() AS v FROM t": "now()",
    "SELECT k, today() AS v FROM t": "today()",
    "SELECT k, current_date AS v FROM t": "current_date",
    "SELECT k, CURRENT_TIMESTAMP AS v FROM t": "CURRENT_TIMESTAMP",
    "SELECT k, localtime AS v FROM t": "localtime",
    "SELECT k, current_time AS v FROM t": "current_time",
    "SELECT k, localtimestamp AS v FROM t": "localtimestamp",
    "SELECT k, transaction_timestamp() AS v FROM t": "transaction_timestamp()",
    "SELECT k, get_current_timestamp() AS v FROM t": "get_current_timestamp()",
    "SELECT k, age(seen) AS v FROM t": "age()",
    "SELECT k, ago(INTERVAL 1 DAY) AS v FROM t": "ago()",
    "SELECT k FROM t WHERE seen > now() - INTERVAL 1 DAY": "now()",
    "WITH recent AS (SELECT * FROM t WHERE seen > current_date) SELECT k FROM recent": "current_date",
    "SELECT k FROM t GROUP BY k HAVING max(seen) > now()": "now()",
    "SELECT k, date_diff('day', seen, current_date) AS v FROM t": "current_date",
    "SELECT * REPLACE (now() AS seen) FROM t": "now()",
    "SELECT k, (SELECT max(seen) FROM t WHERE seen < now()) AS v FROM t": "now()",
    "SELECT k FROM t UNION ALL SELECT uuid()": "uuid()",
    # chance, and the state of the engine
    "SELECT k, random() AS v FROM t": "random()",
    "SELECT k, uuid() AS v FROM t": "uuid()",
    "SELECT k, gen_random_uuid() AS v FROM t": "gen_random_uuid()",
    "SELECT k, uuidv7() AS v FROM t": "uuidv7()",
    "SELECT k, list_transform([1], lambda y: random()) AS v FROM t": "random()",
    "SELECT k, nextval('s') AS v FROM t": "nextval()",
    "SELECT k, current_setting('threads') AS v FROM t": "current_setting()",
    "SELECT k, getvariable('x') AS v FROM t": "getvariable()",
    "SELECT * FROM t TABLESAMPLE 10%": "a sample",
    "SELECT * FROM t USING SAMPLE 2 ROWS": "a sample",
    "SELECT * FROM (SELECT * FROM t USING SAMPLE 50%)": "a sample",
    "SELECT k, reservoir_quantile(x, 0.5) AS v FROM t GROUP BY k": "reservoir_quantile()",
    "SELECT * FROM query('SELECT now()')": "query()",
    "SELECT * FROM duckdb_settings()": "duckdb_settings()",
    # the order of rows
    "SELECT k, first(x) AS v FROM t GROUP BY k": "first() without ORDER BY",
    "SELECT k, last(x) FILTER (x > 1) AS v FROM t GROUP BY k": "last() without ORDER BY",
    "SELECT k, any_value(x) AS v FROM t GROUP BY k": "any_value() without ORDER BY",
    "SELECT k, arbitrary(x) AS v FROM t GROUP BY k": "arbitrary() without ORDER BY",
    "SELECT k, list(x)[1] AS v FROM t GROUP BY k": "list() without ORDER BY",
    "SELECT k, array_agg(x)[1] AS v FROM t GROUP BY k": "array_agg() without ORDER BY",
    "SELECT k, string_agg(x, ',') AS v FROM t GROUP BY k": "string_agg() without ORDER BY",
    "SELECT k, mode(x) AS v FROM t GROUP BY k": "mode() without ORDER BY",
    "SELECT k, json_group_array(x) AS v FROM t GROUP BY k": "json_group_array()",
    "SELECT k, first(x ORDER BY 1) AS v FROM t GROUP BY k": "first() without ORDER BY",
    "SELECT * FROM t PIVOT (first(x) FOR k IN ('a', 'b'))": "first() without ORDER BY",
    "SELECT k FROM t LIMIT 2": "LIMIT without ORDER BY",
    "SELECT k FROM t LIMIT 10%": "LIMIT without ORDER BY",
    "SELECT k FROM t OFFSET 1": "LIMIT without ORDER BY",
    "SELECT k FROM t FETCH FIRST 2 ROWS ONLY": "LIMIT without ORDER BY",
    "SELECT k, (SELECT x FROM t LIMIT 1) AS v FROM t": "LIMIT without ORDER BY",
    "SELECT DISTINCT ON (k) k, x FROM t": "DISTINCT ON without ORDER BY",
    "SELECT k, x FROM t QUALIFY row_number() OVER (PARTITION BY k) = 1": "row_number() OVER without ORDER BY",
    "SELECT k, lag(x) OVER (PARTITION BY k) AS v FROM t": "lag() OVER without ORDER BY",
    "SELECT k, row_number() OVER (ORDER BY (SELECT NULL)) AS v FROM t": "row_number() OVER without ORDER BY",
    "SELECT k, rank() OVER w AS v FROM t WINDOW w AS (PARTITION BY k)": "rank() OVER without ORDER BY",
    "SELECT k, sum(x) OVER (ROWS UNBOUNDED PRECEDING) AS v FROM t": "sum() OVER without ORDER BY",
    "SELECT k, list(x) OVER (PARTITION BY k) AS v FROM t": "list() without ORDER BY",
    "SELECT t.k, u.x FROM t POSITIONAL JOIN t AS u": "POSITIONAL JOIN",
}
ACCEPTED = (
    "SELECT k, sum(x) AS v FROM t WHERE seen <= $as_of GROUP BY k",
    "SELECT k, date_diff('day', max(seen), $as_of) AS v FROM t GROUP BY k",
    "SELECT k, age($as_of, max(seen)) AS v FROM t GROUP BY k",
    "SELECT k, last(x ORDER BY seen) FILTER (x > 1) AS v FROM t GROUP BY k",
    "SELECT k, any_value(x ORDER BY x) AS v FROM t GROUP BY k",
    "SELECT k, mode(x ORDER BY x) AS v FROM t GROUP BY k",
    "SELECT k, arg_max(x, seen) AS v FROM t GROUP BY k",
    "SELECT k, list(x ORDER BY x)[1] AS v FROM t GROUP BY k",
    "SELECT k, max(x) AS v, quantile_cont(x, 0.5) AS q, geomean(x) AS g FROM t GROUP BY k",
    "SELECT k, cardinality(histogram(x)) AS v, wavg(x, x) AS w FROM t GROUP BY k",
    "SELECT k, if(x > 1, nullif(x, 3), 0) AS v FROM t",
    "SELECT k FROM t ORDER BY x LIMIT 2",
    "SELECT k FROM t ORDER BY 1 LIMIT 2",
    "SELECT k FROM t ORDER BY ALL LIMIT 2",
    "SELECT DISTINCT ON (k) k, x FROM t ORDER BY k, x",
    "SELECT DISTINCT k FROM t",
    "SELECT k, x FROM t QUALIFY row_number() OVER (PARTITION BY k ORDER BY seen DESC) = 1",
    "SELECT k, x / sum(x) OVER (PARTITION BY k) AS v FROM t",
    "SELECT k, lag(x ORDER BY seen) OVER (PARTITION BY k) AS v FROM t",
    "SELECT k, rank() OVER w AS v FROM t WINDOW w AS (PARTITION BY k ORDER BY x)",
    "SELECT u.user FROM (SELECT k AS user FROM t) AS u",
    "SELECT t.current_date FROM (SELECT seen AS current_date FROM t) AS t",
    "SELECT k, i FROM t, range(3) AS r(i)",
    "SELECT t.k, u.x FROM t ASOF JOIN t AS u ON t.k = u.k AND t.seen >= u.seen",
    "FROM t SELECT k, count(*) AS v GROUP BY ALL",
    "SELECT k, 'now() random() LIMIT 1' AS v FROM t -- first(x)",
)


@pytest.mark.parametrize("sql", REFUSED)
def test_a_query_that_is_not_a_function_of_its_tables_is_refused(sql):
    with pytest.raises(DeclarationError) as refused:
        read_query(sql, "the feature view v", "include/p/sql/v.sql")
    assert REFUSED[sql] in refused.value.found
    assert "$as_of" in refused.value.do


@pytest.mark.parametrize("sql", ACCEPTED)
def test_a_query_of_its_tables_is_accepted_and_runs(sql):
    statement = read_query(sql, "the feature view v", "include/p/sql/v.sql")
    named = {"as_of": ROWS["seen"][3].as_py()} if "as_of" in statement.named_parameters else None
    with duckdb.connect() as engine:
        engine.register("t", ROWS)
        engine.sql(statement.query, params=named).fetchall()


def test_every_function_that_is_not_consistent_is_refused():
    with duckdb.connect() as engine:
        names = engine.sql(
            "SELECT DISTINCT function_name FROM duckdb_functions() WHERE stability NOT IN ('CONSISTENT') ORDER BY ALL"
        ).fetchall()
    assert len(names) > 20
    for (name,) in names:
        with pytest.raises(DeclarationError):
            read_query(f"SELECT {name}() AS v FROM t", "the label", "include/p/sql/label.sql")


@pytest.mark.parametrize("around", ["SELECT * FROM ({})", "WITH c AS ({}) FROM c", "{} -- fine"])
@pytest.mark.parametrize("sql", list(REFUSED)[::7])
def test_a_query_inside_another_is_refused_as_well(sql, around):
    with pytest.raises(DeclarationError):
        read_query(around.format(sql), "the feature view v", "include/p/sql/v.sql")


@pytest.mark.parametrize("sql", ["SELEKT", "SELECT 1; SELECT 2", "DROP TABLE t", "", "PIVOT t ON k USING sum(x)"])
def test_what_is_not_one_query_is_refused(sql):
    with pytest.raises(DeclarationError):
        read_query(sql, "the feature view v", "include/p/sql/v.sql")


@pytest.mark.parametrize("file", sorted(PROJECT.glob("[it]*/**/sql/*.sql")), ids=lambda file: file.stem)
def test_what_is_shipped_and_tested_with_is_accepted(file):
    read_query(file.read_text(encoding="utf-8"), file.stem, str(file))


@pytest.mark.parametrize("query", ["habits", "churned"])
def test_a_pipeline_is_not_applied_with_such_a_query(tmp_path, query):
    shutil.copytree(LATE / "include" / "churn", tmp_path / "include" / "churn")
    file = tmp_path / "include" / "churn" / "sql" / f"{query}.sql"
    file.write_text(file.read_text(encoding="utf-8") + "\nHAVING max(known_at) < now()", encoding="utf-8")
    settings = project_at(tmp_path)
    pipeline = find_pipeline(settings.include, "churn")
    label = pipeline.label.model_copy(update={"table": None, "sql": Path("sql/churned.sql"), "reads": ("outcomes",)})
    pipeline = pipeline.model_copy(update={"label": label})
    for refuse in (apply_pipeline, differing_features):
        with pytest.raises(DeclarationError) as refused:
            refuse(settings, pipeline)
        assert (refused.value.where, refused.value.found) == (f"include/churn/sql/{query}.sql", "now()")
    assert not settings.var.exists()


def test_a_query_that_was_changed_after_it_was_applied_computes_nothing():
    with duckdb.connect() as engine, pytest.raises(DeclarationError, match="may give other values"):
        run_query(engine, "the label", "SELECT k, first(x) AS v FROM t GROUP BY k", "label.sql", {"t": ROWS}, {})
