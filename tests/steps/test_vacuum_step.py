"""After a vacuum every champion can be made again, and nobody else but who was judged lately."""

import dataclasses
import os
import shutil
import threading
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from sqlalchemy import text

from airloom.core.declaration import find_pipeline
from airloom.core.errors import DataError, Unavailable
from airloom.core.verdict import Judged, Proof, Verdict
from airloom.steps.diff import diff
from airloom.steps.reproduce import reproduce
from airloom.steps.vacuum import vacuum
from airloom.stores.ledger import Ledger
from airloom.stores.models import ModelRegistry
from airloom.stores.state import state_engine
from airloom.stores.tracking import open_client
from tests.servers.process import free_port
from tests.worlds.installation import project_at
from tests.worlds.nights import NIGHT
from tests.worlds.reproducible import RATE, correct, make, promote, train

ALL, LONG = timedelta(0), timedelta(days=30)
CHAMPION, OTHER, SECOND = 1, 2, 3


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """Three versions, each trained on another state of the lake; the first and the last were made champion."""
    settings = project_at(tmp_path_factory.mktemp("template"))
    pipeline = make(settings, RATE)
    for version in (CHAMPION, OTHER, SECOND):
        assert train(pipeline, settings) == version
        correct(settings, distance=100 * version)
    for version in (CHAMPION, SECOND):
        promote(version, settings)
    for file in settings.var.rglob("*.parquet"):
        os.utime(file, (0, 0))
    return settings.project


@pytest.fixture
def life(template, tmp_path):
    """The same for a test of its own."""
    shutil.copytree(template, tmp_path, dirs_exist_ok=True)
    settings = project_at(tmp_path)
    return find_pipeline(settings.include, "late"), settings


def files(found):
    return {each.name: each.files for each in found.freed if each.files}


def judge(settings, version):
    """Keep a verdict about a version, as the gate does."""
    info = ModelRegistry(settings, "late").version_info(version)
    judged = Judged(version=version, as_of=NIGHT, rows=1, rows_digest="r", metrics={})
    facts = {"training_digest": info.training_digest, "pipeline_digest": info.pipeline_digest}
    case = {"pipeline": "late", "partition": NIGHT, "challenger": judged, "champion": None, "head": None}
    verdict = Verdict(**case, **facts, proof=Proof(version=version), outcome="rejected", checks=())
    Ledger(settings.state_url).record(verdict)


def test_every_champion_is_still_made_again_and_another_version_is_said_to_be_vacuumed(life):
    pipeline, settings = life
    found = vacuum(pipeline, ALL, settings)
    assert files(found) == {"raw.schedule": 1, "training sets": 2}
    assert [(each.version, each.why, each.commits["raw.flights"]) for each in found.kept] == [
        (CHAMPION, "champion, epoch 1", 9),
        (SECOND, "champion, epoch 2", 10),
    ]
    assert [reproduce(pipeline, version, settings).identical for version in (CHAMPION, SECOND)] == [True, True]
    with pytest.raises(DataError, match=r"raw\.schedule cannot be read any more as it was at commit 10") as error:
        reproduce(pipeline, OTHER, settings)
    assert error.value.found.startswith("1 of 6 files gone, vacuumed on ")


def test_trainings_go_on_after_a_vacuum_and_their_champions_are_kept_too(life):
    pipeline, settings = life
    vacuum(pipeline, ALL, settings)
    version = train(pipeline, settings)
    promote(version, settings)
    for distance in range(100):
        correct(settings, distance=1000 + distance)
    assert files(vacuum(pipeline, ALL, settings)) == {"raw.schedule": 99}
    assert [reproduce(pipeline, each, settings).identical for each in (CHAMPION, SECOND, version)] == [True] * 3


def test_who_was_judged_within_the_retention_is_kept_as_well(life):
    pipeline, settings = life
    judge(settings, OTHER)
    found = vacuum(pipeline, timedelta(days=1), settings)
    assert [(each.version, each.why) for each in found.kept][1] == (OTHER, "judged as of 2024-01-10")
    assert files(found) == {}
    assert files(vacuum(pipeline, ALL, settings)) == {"raw.schedule": 1, "training sets": 2}


def test_nothing_goes_within_the_retention(life):
    pipeline, settings = life
    found = vacuum(pipeline, LONG, settings)
    assert files(found) == {"training sets": 2}
    assert found.hours == 720
    assert reproduce(pipeline, OTHER, settings).identical


def test_a_dry_run_says_the_same_and_changes_nothing(life):
    pipeline, settings = life
    would = vacuum(pipeline, ALL, settings, dry_run=True)
    assert reproduce(pipeline, OTHER, settings).identical
    assert vacuum(pipeline, ALL, settings) == would.model_copy(update={"dry_run": False})


def test_training_sets_of_champions_stay_for_those_who_compare_them(life):
    pipeline, settings = life
    vacuum(pipeline, ALL, settings)
    assert [each.problem for each in diff(pipeline, CHAMPION, SECOND, settings).topics] == [None] * 13
    partly = diff(pipeline, OTHER, SECOND, settings)
    assert {"rows", "data window"} <= {each.name for each in partly.topics if each.problem}


def test_staged_partitions_go_when_they_are_old(life):
    pipeline, settings = life
    staged = settings.staging / "late" / "2024-01-01" / "flights.parquet"
    staged.parent.mkdir(parents=True)
    staged.write_bytes(b"staged")
    assert "staging" not in files(vacuum(pipeline, ALL, settings))
    os.utime(staged, (0, 0))
    assert files(vacuum(pipeline, LONG, settings))["staging"] == 1
    assert not staged.exists()


def test_a_champion_that_somebody_has_deleted_is_named(life):
    pipeline, settings = life
    open_client(settings).delete_model_version("late", str(CHAMPION))
    found = vacuum(pipeline, ALL, settings, dry_run=True)
    assert [each.version for each in found.kept] == [SECOND]
    assert [(each.version, each.why.partition(":")[0]) for each in found.lost] == [(CHAMPION, "champion, epoch 1")]
    assert "late has no version 1" in found.lost[0].why


class Refusing(BaseHTTPRequestHandler):
    """A server that lets nobody in."""

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_error(401)

    do_GET = do_POST

    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture
def refusing():
    with HTTPServer(("127.0.0.1", 0), Refusing) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("mlflow", ["down", "refused", "without a database"])
def test_nothing_is_removed_while_mlflow_does_not_say_what_champions_need(mlflow, life, request, monkeypatch):
    pipeline, settings = life
    before = {file for file in settings.var.rglob("*") if "state" not in file.parts}
    for name, value in {"MAX_RETRIES": 1, "BACKOFF_FACTOR": 0, "BACKOFF_JITTER": 0, "TIMEOUT": 2}.items():
        monkeypatch.setenv(f"MLFLOW_HTTP_REQUEST_{name}", str(value))
    if mlflow == "without a database":
        open_client(settings)
        with state_engine(settings.state_url).begin() as connection:
            connection.execute(text("ALTER TABLE model_versions RENAME TO elsewhere"))
    else:
        url = request.getfixturevalue("refusing") if mlflow == "refused" else f"http://127.0.0.1:{free_port()}"
        settings = dataclasses.replace(settings, tracking_url=url)
    with pytest.raises(Unavailable):
        vacuum(pipeline, ALL, settings)
    assert {file for file in settings.var.rglob("*") if "state" not in file.parts} == before


def test_nothing_is_removed_when_a_champion_that_is_there_does_not_say_what_it_was_trained_on(life):
    pipeline, settings = life
    open_client(settings).delete_model_version_tag("late", str(CHAMPION), "airloom.lake")
    with pytest.raises(DataError, match=r"has no tag airloom\.lake"):
        vacuum(pipeline, ALL, settings)
    assert reproduce(pipeline, SECOND, settings).identical
