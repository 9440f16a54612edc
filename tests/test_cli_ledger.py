"""The commands that tell about champions, over a ledger with two verdicts and one champion."""

import json
import shutil
from datetime import date, timedelta

import pytest
from typer.testing import CliRunner

from airloom.cli import app
from airloom.cli.console import console
from airloom.core.declaration import find_pipeline
from airloom.core.errors import GateError, UsageError
from airloom.core.gate import decide
from airloom.core.rules import Gate
from airloom.core.settings import Settings
from airloom.core.verdict import Case, Comparison, Effect, Judged, Proof
from airloom.steps.circuit import note_failure
from airloom.stores.ledger import Ledger
from airloom.stores.notes import Notes
from airloom.stores.pins import Pins
from tests.worlds.prepared import INCLUDE

RULES = Gate(metric="roc_auc", baseline="none", floors={"roc_auc": 0.6})
FIRST, SECOND = date(2013, 2, 9), date(2013, 2, 10)


def judged(version, day, auc):
    return Judged(
        version=version, as_of=day, rows=1500, rows_digest="r", metrics={"roc_auc": auc, "neg_brier_score": -0.2}
    )


@pytest.fixture(autouse=True)
def ledger(tmp_path, monkeypatch):
    shutil.copytree(INCLUDE, tmp_path / "include")
    monkeypatch.setenv("AIRLOOM_PROJECT", str(tmp_path))
    monkeypatch.setenv("AIRLOOM_VAR", str(tmp_path / "var"))
    monkeypatch.setattr(console, "width", 200)
    ledger = Ledger(Settings.from_environment().state_url)
    common = {"pipeline": "parcels", "training_digest": "t", "pipeline_digest": "d"}
    champion = judged(1, FIRST, 0.65)
    first = decide(
        Case(partition=FIRST, challenger=champion, champion=None, head=None, proof=Proof(version=1), **common), RULES
    )
    ledger.record(first)
    ledger.promote(
        "parcels",
        expected_epoch=0,
        effective_from=FIRST,
        version=1,
        verdict=first.id,
        actor="parcels.train some run",
        reason="first",
    )
    effect = Effect(metric="roc_auc", challenger=0.66, champion=0.65, gain=0.01, lower=-0.002, upper=0.02, samples=1000)
    second = Case(
        partition=SECOND,
        challenger=judged(2, SECOND, 0.66),
        champion=champion,
        head=ledger.head("parcels"),
        comparison=Comparison(effect=effect),
        proof=Proof(version=2, rows=500),
        **common,
    )
    ledger.record(decide(second, RULES))
    return ledger


def run(*arguments):
    done = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert done.exit_code == 0
    return done.output


def test_the_ledger_tells_verdicts_and_champions_in_the_order_in_which_they_were_decided():
    lines = [line for line in run("ledger", "parcels").splitlines() if line.startswith("│")]
    assert ["verdict: first" in lines[0], "champion" in lines[1], "verdict: tie" in lines[2]] == [True] * 3
    assert "by parcels.train some run" in lines[1]


def test_the_ledger_is_there_for_programs_too():
    told = json.loads(run("ledger", "parcels", "--json"))
    assert [each["version"] for each in told["champions"]] == [1]
    assert [each["outcome"] for each in told["verdicts"]] == ["first", "tie"]


def test_a_pin_is_told_by_ledger_and_status(ledger):
    Pins(ledger.state_url).set("parcels", pinned=True, actor="ann", reason="holidays")
    assert row_of("pinned") == ["", "pinned", "v1", "1", "by ann: holidays"]
    assert "pinned    by ann: holidays" in run("status", "parcels")
    assert json.loads(run("status", "parcels", "--json"))[0]["pinned"] == "by ann: holidays"


def test_a_verdict_reads_like_a_report():
    told = run("verdict", "parcels", "2013-02-10")
    assert "gain roc_auc" in told
    assert "+0.0100 [-0.0020, +0.0200] (0.6500 to 0.6600)" in told
    assert "failed" in told
    assert "verdict     tie" in told
    assert "champion    version 1 of 2013-02-09: roc_auc 0.6500" in told


def test_a_verdict_is_there_for_programs_too():
    told = json.loads(run("verdict", "parcels", "2013-02-09", "--json"))
    assert (told["outcome"], told["challenger"]["version"]) == ("first", 1)


def test_a_night_that_was_not_judged_is_said_so():
    with pytest.raises(GateError, match="no verdict of 2013-02-11"):
        run("verdict", "parcels", "2013-02-11")


def row_of(what):
    lines = [line for line in run("ledger", "parcels").splitlines() if f"│ {what} " in line]
    assert len(lines) == 1
    return [cell.strip() for cell in lines[0].strip("│").split("│")][1:]


@pytest.mark.parametrize(
    ("kind", "actor", "reason", "why"),
    [
        ("declined", "ann", "declined by ann", "declined by ann"),
        ("superseded", "the run", "superseded: the champion has moved", "by the run: the champion has moved"),
    ],
)
def test_what_became_of_a_verdict_is_told_with_the_version(ledger, kind, actor, reason, why):
    [_, second] = ledger.verdicts("parcels")
    Notes(ledger.state_url).add("parcels", kind, SECOND, second.id, actor, reason)
    assert row_of(kind) == ["2013-02-10", kind, "v2", "", why]
    [note] = json.loads(run("ledger", "parcels", "--json"))["notes"]
    assert (note["kind"], note["subject"], note["actor"], note["reason"]) == (kind, second.id, actor, reason)


def test_what_people_have_written_is_shown_as_they_wrote_it(ledger):
    Pins(ledger.state_url).set("parcels", pinned=True, actor="ann", reason="see [/bold] [ops] and [red]")
    assert row_of("pinned")[-1] == "by ann: see [/bold] [ops] and [red]"


@pytest.fixture
def paused(ledger):
    """Two nights have failed in a row, which pauses the training of a pipeline that declares a circuit."""
    settings = Settings.from_environment()
    file = settings.include / "parcels" / "pipeline.yaml"
    file.write_text(file.read_text().replace("  seed: 7\n", "  seed: 7\n  circuit: {failures: 2, retry_after: 7d}\n"))
    pipeline = find_pipeline(settings.include, "parcels")
    for later in (1, 2):
        note_failure(pipeline, SECOND + timedelta(days=later), settings, "parcels.train some run")


def test_a_pause_is_told_by_status_with_until_when_and_why(paused):
    why = "2 nights in a row without a usable challenger, from 2013-02-11 to 2013-02-12 (the last one failed)"
    assert f"paused    no training until 2013-02-19, or until the data has changed: {why}" in run("status")
    assert json.loads(run("status", "--json"))[0]["paused"] == {
        "until": "2013-02-19",
        "nights": ["2013-02-11", "2013-02-12"],
        "why": why,
    }


def test_a_pipeline_that_is_not_paused_says_nothing_of_it():
    assert "paused" not in run("status")
    assert json.loads(run("status", "--json"))[0]["paused"] is None


def test_failed_nights_and_the_pause_after_them_are_rows_of_the_ledger(paused, monkeypatch):
    monkeypatch.setattr(console, "width", 400)
    lines = [line for line in run("ledger", "parcels").splitlines() if line.startswith("│")]
    assert [line.split("│")[3].split()[0].strip(":") for line in lines] == [
        *("verdict", "champion", "verdict", "failed", "failed", "paused")
    ]
    assert row_of("paused")[:2] == ["2013-02-11", "paused"]
    assert row_of("paused")[-1].startswith("training is paused: 2 nights in a row")
    assert "by parcels.train some run: the training failed; the tasks of its run say why" in lines[3]
    notes = json.loads(run("ledger", "parcels", "--json"))["notes"]
    assert [note["kind"] for note in notes] == ["failed", "failed", "paused"]


def promote(ledger, version, effective_from, epoch):
    return ledger.promote(
        "parcels",
        expected_epoch=epoch,
        effective_from=effective_from,
        version=version,
        verdict=None,
        actor="ann",
        reason="rollback: too many [red] flags",
    )


def test_the_ledger_tells_the_champion_as_of_a_partition(ledger):
    promote(ledger, 2, SECOND, 1)
    assert "champion  version 1 as of 2013-02-09" in run("ledger", "parcels", "--as-of", "2013-02-09")
    told = run("ledger", "parcels", "--as-of", "2013-02-11").splitlines()
    assert told[:2] == ["champion  version 2 as of 2013-02-11", "since     2013-02-10 (epoch 2)"]
    assert told[2].endswith(" UTC by ann")
    assert told[3] == "why       rollback: too many [red] flags"


def test_the_ledger_tells_the_champion_at_a_moment_whichever_day_that_was_decided_about(ledger):
    [first] = ledger.history("parcels")
    second = promote(ledger, 2, FIRST - timedelta(days=30), 1)
    for row in (first, second):
        told = run("ledger", "parcels", "--at", row.decided_at.isoformat())
        assert told.startswith(f"champion  version {row.version} at ")
    assert run("ledger", "parcels", "--at", "2013-02-09T10:00Z") == "champion  none at 2013-02-09T10:00Z\n"


def test_who_was_champion_is_there_for_programs_too():
    told = json.loads(run("ledger", "parcels", "--as-of", "2013-02-10", "--json"))
    assert (told["version"], told["epoch"], told["effective_from"]) == (1, 1, "2013-02-09")
    assert json.loads(run("ledger", "parcels", "--as-of", "2013-02-08", "--json")) is None


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (["--at", "2026-11-25T10:00"], "A moment needs a time zone."),
        (["--at", "2026-11-25"], "A moment needs a time zone."),
        (["--at", "yesterday"], "This is not a moment."),
        (["--as-of", "2013-02-30"], "This is not a partition."),
        (["--at", "2026-11-25T10:00Z", "--as-of", "2013-02-10"], "two different questions"),
    ],
)
def test_a_time_that_cannot_be_meant_is_refused_in_words(asked, said):
    with pytest.raises(UsageError, match=said) as caught:
        run("ledger", "parcels", *asked)
    assert caught.value.exit_code == 2
