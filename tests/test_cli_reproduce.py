"""The command `airloom reproduce`, on a version that was trained here."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from airloom.cli import app
from airloom.cli.console import console
from airloom.stores.models import ModelRegistry
from airloom.stores.tracking import open_client
from tests.worlds import candidates
from tests.worlds.candidates import ByRate
from tests.worlds.installation import project_at
from tests.worlds.reproducible import CORRECTED, RATE, correct, make, train
from tests.worlds.two_nights import declare

PROJECT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    settings = project_at(tmp_path_factory.mktemp("reproduce"))
    train(make(settings, RATE), settings)
    correct(settings)
    return settings


@pytest.fixture
def command(settings, monkeypatch):
    monkeypatch.setenv("AIRLOOM_PROJECT", str(settings.project))
    monkeypatch.setenv("AIRLOOM_VAR", str(settings.var))
    monkeypatch.setattr(console, "width", 120)

    def run(*options):
        return CliRunner().invoke(app, ["reproduce", "late", "1", *options], catch_exceptions=False)

    return run


def test_a_version_that_is_the_same_says_so_and_ends_well(command):
    done = command()
    assert done.exit_code == 0
    told = " ".join(done.output.split())
    assert "version 1 of late: one, as of 2024-01-10" in told
    assert "raw.schedule, raw.flights, features.carrier_delays at commit 9" in told
    assert "all else as recorded: code, declaration, feature definitions, libraries, machine" in told
    assert "predictions largest difference 0 on the 180 rows kept with the model" in told
    assert "identical training set, metrics, predictions; trained in" in told


def test_other_code_is_said_first_and_what_differs_after_it_with_an_exit_code(command, monkeypatch):
    monkeypatch.setattr(candidates, "by_rate", by_rate_of_now)
    done = command()
    assert done.exit_code == 4
    told = " ".join(done.output.split())
    order = [
        "code source of the candidate was",
        "so this was computed with what is here now, from the recorded lake, declaration and seed",
        "holdout.neg_log_loss",
        "rows predicted otherwise",
        "not identical differs: metrics, predictions",
        "why code: source of the candidate was",
    ]
    places = [told.find(each) for each in order]
    assert -1 not in places
    assert places == sorted(places)


def by_rate_of_now(data, params, log):
    return ByRate(0.9 * float(params["share"]))


def test_another_declaration_of_today_is_said_and_not_used(command, settings):
    declare(settings, {"one": {**RATE, "params": {"share": 0.1}}})
    done = command()
    declare(settings, {"one": RATE})
    assert done.exit_code == 0
    told = " ".join(done.output.split())
    assert "train.candidates.one.params.share was 0.5000, is 0.1000; the recorded one was used" in told


def test_what_could_not_be_compared_is_not_called_identical(command, settings):
    client, run_id = open_client(settings), ModelRegistry(settings, "late").version_info(1).run_id
    file = Path(client.get_run(run_id).data.tags["airloom.model_source"].removeprefix("file://"))
    away = file.rename(file.with_name("away"))
    done = command()
    away.rename(file)
    assert done.exit_code == 4
    told = " ".join(done.output.split())
    assert "predictions A model's files are not there" in told
    assert "not compared" in told
    assert "nothing that could be compared differs" in told


def test_programs_get_the_same_as_json(command):
    found = json.loads(command("--json").output)
    assert (found["version"], found["identical"], found["commits"]["raw.flights"]) == (1, True, 9)
    assert [each["name"] for each in found["results"]] == ["training set", "metrics", "predictions"]


def test_a_lake_that_cannot_be_read_any_more_ends_in_words_and_an_exit_code(settings):
    day = settings.lake / "late" / "raw" / "flights" / f"airloom_partition={CORRECTED}"
    environment = {
        **os.environ,
        "AIRLOOM_PROJECT": str(settings.project),
        "AIRLOOM_VAR": str(settings.var),
        "PYTHONPATH": os.pathsep.join(map(str, [PROJECT / "plugins", PROJECT])),
    }
    command = [sys.executable, "-c", "from airloom.cli import main; main()", "reproduce", "late", "1"]
    day.rename(day.with_name("gone"))
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=600)
    finally:
        day.with_name("gone").rename(day)
    assert (done.returncode, "Traceback" in done.stderr) == (3, False)
    assert "The table raw.flights cannot be read any more as it was at commit 9." in done.stderr
    assert "1 of 6 files gone" in done.stderr
