"""The commands about champions, over a ledger with two verdicts and one champion."""

import json
from datetime import date

import pytest
from typer.testing import CliRunner

from airloom.cli import app
from airloom.cli.console import console
from airloom.core.errors import GateError
from airloom.core.gate import decide
from airloom.core.rules import Gate
from airloom.core.settings import Settings
from airloom.core.verdict import Case, Comparison, Effect, Judged, Proof
from airloom.stores.ledger import Ledger
from airloom.stores.pins import Pins

RULES = Gate(metric="roc_auc", floors={"roc_auc": 0.6})
FIRST, SECOND = date(2013, 2, 9), date(2013, 2, 10)


def judged(version, day, auc):
    return Judged(
        version=version, as_of=day, rows=1500, rows_digest="r", metrics={"roc_auc": auc, "neg_brier_score": -0.2}
    )


@pytest.fixture(autouse=True)
def ledger(tmp_path, monkeypatch):
    monkeypatch.setenv("AIRLOOM_VAR", str(tmp_path / "var"))
    monkeypatch.setattr(console, "width", 200)
    ledger = Ledger(Settings.from_environment().state_url)
    common = {"pipeline": "flight_delays", "training_digest": "t", "pipeline_digest": "d"}
    champion = judged(1, FIRST, 0.65)
    first = decide(
        Case(partition=FIRST, challenger=champion, champion=None, head=None, proof=Proof(version=1), **common), RULES
    )
    ledger.record(first)
    ledger.promote(
        "flight_delays",
        expected_epoch=0,
        effective_from=FIRST,
        version=1,
        verdict=first.id,
        actor="flight_delays.train some run",
        reason="first",
    )
    effect = Effect(metric="roc_auc", challenger=0.66, champion=0.65, gain=0.01, lower=-0.002, upper=0.02, samples=1000)
    second = Case(
        partition=SECOND,
        challenger=judged(2, SECOND, 0.66),
        champion=champion,
        head=ledger.head("flight_delays"),
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
    lines = [line for line in run("ledger", "flight_delays").splitlines() if line.startswith("│")]
    assert ["verdict: first" in lines[0], "champion" in lines[1], "verdict: tie" in lines[2]] == [True] * 3
    assert "by flight_delays.train some run" in lines[1]


def test_the_ledger_is_there_for_programs_too():
    told = json.loads(run("ledger", "flight_delays", "--json"))
    assert [each["version"] for each in told["champions"]] == [1]
    assert [each["outcome"] for each in told["verdicts"]] == ["first", "tie"]


def test_a_pin_is_told_by_ledger_and_status(ledger):
    Pins(ledger.state_url).set("flight_delays", pinned=True, actor="ann", reason="holidays")
    assert "pinned" in run("ledger", "flight_delays").splitlines()[-2]
    assert "pinned    by ann: holidays" in run("status", "flight_delays")
    assert json.loads(run("status", "flight_delays", "--json"))[0]["pinned"] == "by ann: holidays"


def test_a_verdict_reads_like_a_report():
    told = run("verdict", "flight_delays", "2013-02-10")
    assert "gain roc_auc" in told
    assert "+0.0100 [-0.0020, +0.0200] (0.6500 to 0.6600)" in told
    assert "failed" in told
    assert "verdict     tie" in told
    assert "champion    version 1 of 2013-02-09: roc_auc 0.6500" in told


def test_a_verdict_is_there_for_programs_too():
    told = json.loads(run("verdict", "flight_delays", "2013-02-09", "--json"))
    assert (told["outcome"], told["challenger"]["version"]) == ("first", 1)


def test_a_night_that_was_not_judged_is_said_so():
    with pytest.raises(GateError, match="no verdict of 2013-02-11"):
        run("verdict", "flight_delays", "2013-02-11")
