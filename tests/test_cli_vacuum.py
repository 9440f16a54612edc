"""The command `airloom vacuum`."""

import json
import os

import pytest
from typer.testing import CliRunner

from airloom.cli import app
from airloom.cli.console import console
from airloom.core.errors import UsageError
from tests.worlds.installation import project_at
from tests.worlds.reproducible import RATE, correct, make, promote, train


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    """One champion, and a day that was corrected twice since."""
    settings = project_at(tmp_path_factory.mktemp("vacuum"))
    promote(train(make(settings, RATE), settings), settings)
    for distance in (100, 200):
        correct(settings, distance=distance)
    return settings


@pytest.fixture
def command(settings, monkeypatch):
    monkeypatch.setenv("AIRLOOM_PROJECT", str(settings.project))
    monkeypatch.setenv("AIRLOOM_VAR", str(settings.var))
    monkeypatch.setattr(console, "width", 120)

    def run(*options):
        done = CliRunner().invoke(app, ["vacuum", "late", *options], catch_exceptions=False)
        assert done.exit_code == 0
        return done.output

    return run


def test_it_says_what_it_frees_and_what_it_keeps_for_whom(command):
    told = command("--older-than", "0d", "--dry-run")
    assert "raw.schedule │ 1" in told
    assert "would free  1 file, " in told
    assert "version 1, champion, epoch 1: 3 tables as it was trained on them, and its training set" in told


def test_by_default_a_month_is_kept(command):
    told = command()
    assert "freed  0 files, 0 bytes" in told
    assert "all that was replaced, written or judged in the last 30 days" in told


def test_programs_get_the_same_as_json(command):
    found = json.loads(command("--older-than", "12h", "--dry-run", "--json"))
    assert (found["hours"], found["dry_run"], [each["version"] for each in found["kept"]]) == (12, True, [1])
    assert sorted(each["name"] for each in found["freed"]) == [
        "features.carrier_delays",
        "raw.flights",
        "raw.schedule",
        "staging",
        "training sets",
    ]


def test_a_retention_that_is_none_is_a_usage_error(command):
    with pytest.raises(UsageError, match="not a retention"):
        command("--older-than", "a while")


def test_a_champion_can_be_made_again_after_it(command, settings):
    for file in settings.var.rglob("*.parquet"):
        os.utime(file, (0, 0))
    assert "1 file" in command("--older-than", "0d")
    assert CliRunner().invoke(app, ["reproduce", "late", "1"], catch_exceptions=False).exit_code == 0
