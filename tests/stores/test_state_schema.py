"""Airloom's tables in the state database: made, taken over, upgraded, refused."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, inspect, text

from airloom.core.errors import SetupError
from airloom.stores import state_schema
from airloom.stores.ledger import Ledger
from airloom.stores.ledger_schema import open_tables, schema
from airloom.stores.state import state_engine
from airloom.stores.state_schema import REVISION, VERSION_TABLE, Upgraded, found_revision, upgrade_state
from tests.servers.postgres import PASSWORD
from tests.worlds.processes import PROCESSES, ended, start

TABLES = {*schema().metadata.tables, VERSION_TABLE}


@pytest.fixture
def url(empty_state_url):
    return empty_state_url


def tables(url):
    return set(inspect(state_engine(url)).get_table_names())


def run(url, *statements):
    with state_engine(url).begin() as connection:
        for statement in statements:
            connection.execute(text(statement))


def test_the_newest_step_is_what_the_code_works_with():
    assert ScriptDirectory.from_config(state_schema._configuration()).get_heads() == [REVISION]


def test_an_upgraded_database_has_exactly_the_tables_that_the_code_reads(url):
    assert upgrade_state(url) == Upgraded(None, REVISION)
    assert tables(url) == TABLES
    with state_engine(url).connect() as connection:
        options = {"include_name": lambda name, kind, _: kind != "table" or name in schema().metadata.tables}
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, schema().metadata) == []


def test_upgrading_again_changes_nothing(url):
    upgrade_state(url)
    assert upgrade_state(url) == Upgraded(REVISION, REVISION)


def test_tables_from_before_there_were_revisions_are_taken_over_and_missing_ones_added(url):
    tables_then = schema().metadata
    engine = state_engine(url)
    tables_then.create_all(engine, tables=[tables_then.tables[f"airloom_{each}"] for each in ("champions", "verdicts")])
    champion = "INSERT INTO airloom_champions VALUES ('p', 1, '2013-02-01', 7, NULL, 'ann', 'why', '2013-02-02 00:00')"
    run(url, champion)
    assert upgrade_state(url) == Upgraded(None, REVISION)
    assert tables(url) == TABLES
    assert [row.version for row in Ledger(url).history("p")] == [7]


def test_tables_of_others_are_left_alone(url):
    run(url, "CREATE TABLE alembic_version (version_num VARCHAR(32))", "INSERT INTO alembic_version VALUES ('mlflow')")
    upgrade_state(url)
    with state_engine(url).connect() as connection:
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalars().all() == ["mlflow"]


def test_a_newer_database_is_refused(url):
    upgrade_state(url)
    run(url, f"UPDATE {VERSION_TABLE} SET version_num = '9999'")
    for use in (upgrade_state, open_tables):
        with pytest.raises(SetupError, match="newer than this code") as refused:
            use(url)
        assert (refused.value.found, refused.value.expected) == ("revision 9999", f"revision {REVISION} at the most")
        assert PASSWORD not in str(refused.value)


@pytest.mark.parametrize("empty_state_url", ["postgresql"], indirect=True)
def test_a_task_does_not_upgrade_a_server(url):
    with pytest.raises(SetupError, match="older than this code") as refused:
        Ledger(url).history("p")
    assert refused.value.do == "run: airloom upgrade"
    assert tables(url) == set()
    upgrade_state(url)
    assert Ledger(url).history("p") == []


@pytest.mark.parametrize("empty_state_url", ["sqlite"], indirect=True)
def test_a_file_is_upgraded_when_it_is_opened(url):
    with state_engine(url).begin() as connection:
        connection.execute(text("CREATE TABLE of_somebody_else (number INTEGER)"))
    assert Ledger(url).history("p") == []
    assert found_revision(url) == REVISION


def _upgrade(url, barrier, befores):
    barrier.wait(60)
    befores.put(upgrade_state(url).before)


def test_several_processes_may_upgrade_at_once(url):
    barrier, befores = PROCESSES.Barrier(3), PROCESSES.Queue()
    processes = [start(_upgrade, url, barrier, befores) for _ in range(3)]
    assert sorted((befores.get(timeout=600) for _ in processes), key=str) == [REVISION, REVISION, None]
    assert [ended(process) for process in processes] == [0, 0, 0]
    assert tables(url) == TABLES


def test_an_upgrade_that_fails_changes_nothing(url):
    run(url, "CREATE TABLE other (number INTEGER)", "CREATE VIEW airloom_night_notes AS SELECT number FROM other")
    run(url, "CREATE TABLE airloom_verdicts (number INTEGER)")
    with pytest.raises(SetupError, match="could not be upgraded; nothing of them was changed"):
        upgrade_state(url)
    assert tables(url) == {"other", "airloom_verdicts"}


@pytest.mark.parametrize("empty_state_url", ["postgresql"], indirect=True)
def test_a_user_who_may_not_create_tables_is_told_so(url, postgres):
    run(url, "CREATE ROLE reader LOGIN PASSWORD 'reads'")
    reader = url.replace(f"postgres:{PASSWORD}", "reader:reads")
    with pytest.raises(SetupError, match="could not be upgraded") as refused:
        upgrade_state(reader)
    assert "permission denied" in refused.value.found


def test_the_steps_run_from_an_installed_package_without_a_file_of_configuration(tmp_path):
    package = Path(state_schema.__file__).parents[1]
    shutil.copytree(package, tmp_path / "100% elsewhere" / "airloom", ignore=shutil.ignore_patterns("__pycache__"))
    code = f"from airloom.stores.state_schema import upgrade_state; upgrade_state('sqlite:///{tmp_path}/airloom.db')"
    environment = {"PYTHONPATH": str(tmp_path / "100% elsewhere")}
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path, env=environment)
    engine = create_engine(f"sqlite:///{tmp_path}/airloom.db")
    assert set(inspect(engine).get_table_names()) == TABLES
    engine.dispose()
