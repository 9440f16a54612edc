from concurrent.futures import ProcessPoolExecutor
from datetime import date
from multiprocessing import get_context

import pytest

from airloom.core.errors import GateError
from airloom.core.gate import decide
from airloom.core.rules import Gate
from airloom.core.verdict import Case, Judged, Proof
from airloom.stores.ledger import Ledger


@pytest.fixture
def ledger(tmp_path):
    return Ledger(f"sqlite:///{tmp_path / 'state' / 'airloom.db'}")


def promote(ledger, version, day, epoch):
    return ledger.promote(
        "p", expected_epoch=epoch, effective_from=day, version=version, verdict=None, actor="test", reason="better"
    )


def test_there_is_no_champion_at_first(ledger):
    assert ledger.head("p") is None
    assert ledger.champion_as_of("p", date(2013, 2, 10)) is None


def test_the_champion_as_of_a_day_is_the_one_that_was_effective_then(ledger):
    promote(ledger, 1, date(2013, 2, 1), 0)
    promote(ledger, 2, date(2013, 2, 10), 1)
    versions = [ledger.champion_as_of("p", date(2013, 2, day)) for day in (1, 9, 10, 28)]
    assert [champion.version for champion in versions] == [1, 1, 2, 2]
    assert ledger.champion_as_of("p", date(2013, 1, 31)) is None


def test_a_decision_against_a_champion_that_has_moved_is_refused(ledger):
    promote(ledger, 1, date(2013, 2, 1), 0)
    with pytest.raises(GateError, match="has moved since"):
        promote(ledger, 2, date(2013, 2, 2), 0)
    assert [row.version for row in ledger.history("p")] == [1]


def _race(url, version):
    try:
        promote(Ledger(url), version, date(2013, 2, 1), 0)
    except GateError:
        return False
    return True


def test_of_several_processes_that_promote_at_once_exactly_one_wins(ledger):
    with ProcessPoolExecutor(4, mp_context=get_context("spawn")) as pool:
        outcomes = list(pool.map(_race, [ledger.state_url] * 8, range(8)))
    assert outcomes.count(True) == 1
    assert len(ledger.history("p")) == 1


def _promote_behind_a_barrier(url, version, rounds, barrier, outcomes):
    ledger, won = Ledger(url), []
    for epoch in range(rounds):
        barrier.wait(timeout=60)
        try:
            won.append(promote(ledger, version, date(2013, 2, 1), epoch).epoch)
        except GateError:
            continue
    outcomes.put((version, won))


def test_of_two_processes_that_promote_at_the_same_moment_exactly_one_wins_every_time(ledger):
    spawn, rounds = get_context("spawn"), 200
    assert ledger.head("p") is None
    barrier, outcomes = spawn.Barrier(2), spawn.Queue()
    arguments = [(ledger.state_url, version, rounds, barrier, outcomes) for version in (1, 2)]
    processes = [spawn.Process(target=_promote_behind_a_barrier, args=each) for each in arguments]
    for process in processes:
        process.start()
    won = dict(outcomes.get(timeout=120) for _ in processes)
    for process in processes:
        process.join()
    winners = {epoch: version for version, epochs in won.items() for epoch in epochs}
    assert sorted([*won[1], *won[2]]) == list(range(1, rounds + 1))
    assert {row.epoch: row.version for row in ledger.history("p")} == winners


def test_a_verdict_is_kept_once_and_read_back_whole(ledger):
    challenger = Judged(version=1, as_of=date(2013, 2, 1), rows=10, rows_digest="r", metrics={"roc_auc": 0.7})
    case = Case(
        pipeline="p",
        partition=date(2013, 2, 1),
        challenger=challenger,
        champion=None,
        head=None,
        proof=Proof(version=1),
        training_digest="t",
        pipeline_digest="d",
    )
    verdict = decide(case, Gate(metric="roc_auc"))
    ledger.record(verdict)
    ledger.record(verdict)
    assert ledger.verdicts("p") == [verdict]
    assert ledger.verdict(verdict.id) == verdict


def test_an_unknown_verdict_is_an_error(ledger):
    with pytest.raises(GateError, match="no verdict"):
        ledger.verdict("0123456789abcdef")
