"""A pipeline whose key, columns and label have the names that Airloom's own columns had, from source to trace."""

import json
import shutil
import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from typer.testing import CliRunner

from airloom.cli import app
from airloom.core.declaration import find_pipeline
from airloom.core.errors import DataError
from airloom.core.partitions import day_range
from airloom.launcher.features import apply_pipeline
from airloom.steps.compute import compute
from airloom.steps.diff import diff
from airloom.steps.examples import DAY
from airloom.steps.materialize import materialize
from airloom.steps.outcomes import judge
from airloom.steps.reproduce import reproduce
from airloom.steps.score import score
from airloom.steps.training_sets import read_file
from airloom.stores.lake import Lake
from tests.lineage.written import Log
from tests.worlds import taken_names
from tests.worlds.installation import settings_at
from tests.worlds.older_tables import begin_older
from tests.worlds.plain_steps import ingest, train

PROJECT = Path(taken_names.__file__).parent
WINE = find_pipeline(PROJECT / "include", "wine")
FIRST, SECOND = (WINE.schedule.start + timedelta(days=days) for days in (3, 4))
KEY = WINE.tables["wines"].key

pytestmark = pytest.mark.filterwarnings("ignore:module 'sre_:DeprecationWarning")


@pytest.fixture(scope="module")
def settings(tmp_path_factory, module_include):
    """Two nights of the pipeline."""
    folder = tmp_path_factory.mktemp("wine")
    settings = settings_at(folder, project=PROJECT, predictions_url=f"sqlite:///{folder}/predictions.db")
    apply_pipeline(settings, WINE)
    for day in day_range(WINE.schedule.start, SECOND):
        ingest(WINE, day, settings)
        compute(WINE, day, settings)
        materialize(WINE, day, settings)
        if day >= FIRST:
            train(WINE, day, settings)
            score(WINE, day, settings, "the run")
    return settings


def rows_of(day):
    from include.wine.source import extract

    return extract(day)["wines"].sort_values("run_id", ignore_index=True)


def test_predictions_have_the_users_columns_and_ours(settings):
    rows = Lake(settings.lake / "wine").read("predictions", [SECOND]).sort_values("run_id", ignore_index=True)
    given = rows_of(SECOND)
    assert rows[[*KEY]].equals(given[[*KEY]])
    assert rows["airloom_score"].tolist() == (1 - given["inputs"]).tolist()
    assert set(rows["airloom_run_id"]) == {"the run"}
    assert set(rows["airloom_model_version"]) == {1}
    assert set(rows["airloom_pipeline_digest"]) == {WINE.digest}


def test_their_copy_in_sql_has_both_too(settings):
    with closing(sqlite3.connect(settings.predictions_url.removeprefix("sqlite:///"))) as connection:
        columns = ", ".join([*KEY, "airloom_score", "airloom_run_id"])
        query = f"SELECT {columns} FROM wines WHERE airloom_partition = ? ORDER BY run_id"
        found = connection.execute(query, (SECOND.isoformat(),)).fetchall()
    given = rows_of(SECOND)
    expected = given[[*KEY]].assign(score_of_ours=1 - given["inputs"], run="the run")
    assert found == list(expected.itertuples(index=False, name=None))


def test_what_is_learned_from_are_the_users_columns(settings):
    [training] = [each for each in (settings.training / "wine" / str(SECOND)).iterdir() if each.name.count(".") == 1]
    frame = read_file(training).frame
    assert {*KEY, "partition", "inputs", "version", "quality", DAY} <= set(frame)
    assert set(frame["partition"]) == {"north", "south"}
    # The day between lies in the embargo.
    assert sorted(set(frame[DAY])) == [SECOND - timedelta(days=3), SECOND - timedelta(days=1)]


def test_predictions_are_judged_by_their_labels(settings):
    found = judge(WINE, settings, day_range(FIRST, SECOND))
    assert (found.days, found.rows) == (1, 40)


def test_versions_are_compared_and_reproduced(settings):
    found = diff(WINE, 1, 2, settings)
    assert {each.name for each in found.topics if each.problem} == set()
    assert reproduce(WINE, 2, settings).identical


def test_a_prediction_is_traced_to_its_row(settings, monkeypatch):
    given = rows_of(SECOND).iloc[3]
    monkeypatch.setenv("AIRLOOM_PROJECT", str(PROJECT))
    monkeypatch.setenv("AIRLOOM_VAR", str(settings.var))
    version = Lake(settings.lake / "wine").partitions("predictions")[SECOND].version
    log = Log()
    log.did("score.score", "score", [], [("predictions", (str(SECOND), version))])
    settings.delivery.mkdir(parents=True, exist_ok=True)
    log.write(settings.lineage)
    key = ",".join(str(given[name]) for name in KEY)
    told = CliRunner().invoke(app, ["trace", "wine", str(SECOND), "--key", key, "--json"], catch_exceptions=False)
    row = json.loads(told.output)["row"]
    assert [row[name] for name in KEY] == [given[name] for name in KEY]
    assert (row["partition"], row["airloom_run_id"]) == (given["partition"], "the run")
    assert row["inputs"] == pytest.approx(given["inputs"])


@pytest.mark.other_content
def test_predictions_of_an_earlier_version_refuse_such_a_key_in_words(settings, tmp_path):
    shutil.copytree(settings.var, tmp_path / "var")
    older = settings_at(tmp_path, project=PROJECT, predictions_url=f"sqlite:///{tmp_path}/none.db")
    lake = Lake(older.lake / "wine")
    shutil.rmtree(lake.path("predictions"))
    begin_older(lake, "predictions", FIRST, pa.table({"wine": ["a"], "score": [0.5], "run_id": ["r"]}))
    with pytest.raises(DataError, match="Predictions of an earlier version have columns of their own") as refused:
        score(WINE, SECOND, older, "run")
    assert (refused.value.found, "--rename-columns" in refused.value.do) == (", ".join(sorted(KEY)), True)
